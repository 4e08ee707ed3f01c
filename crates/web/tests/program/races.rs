//! Pairs of operations on one account at the same moment, on two nodes. Whatever comes of a pair, it is what
//! comes of one operation after the other, in one of the two orders.

use std::fmt::Debug;
use std::sync::Arc;

use countersign_web::auth::{
    AuthConfig, Authenticated, Caller, Credential, HashingConfig, LogIn, LoginState, NewUser,
};
use countersign_web::domain::{Client, Store, User};
use countersign_web::{Auth, Database};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::server::TestDatabase;
use crate::support::Place;

const OLD: &str = "tidal lantern orbit mauve";
const NEW: [&str; 2] = ["first of the new passwords", "second of the new passwords"];
const SET: &str = "what the administrator chose";

/// Who asks: the owner in one browser, or a thief of the password in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Owner,
    Thief,
}

use Who::{Owner, Thief};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Change(Who),
    Reauthenticate(Who),
    Delete(Who),
    LogOut(Who),
    RevokeOthers(Who),
    RevokeTheOther(Who),
    LogIn,
    AdminSets,
    AdminDisables,
    AdminDeletes,
    AdminRevokes,
}

use Operation::*;

const ALL: [Operation; 17] = [
    Change(Owner),
    Change(Thief),
    Reauthenticate(Owner),
    Reauthenticate(Thief),
    Delete(Owner),
    Delete(Thief),
    LogOut(Owner),
    LogOut(Thief),
    RevokeOthers(Owner),
    RevokeOthers(Thief),
    RevokeTheOther(Owner),
    RevokeTheOther(Thief),
    LogIn,
    AdminSets,
    AdminDisables,
    AdminDeletes,
    AdminRevokes,
];

/// What is left of an account: its password, unless it is gone or disabled, and who is in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    password: Option<&'static str>,
    is_there: bool,
    owner: bool,
    thief: bool,
    /// How many sessions a login has begun since.
    others: u64,
}

impl Account {
    const NEW: Self =
        Self { password: Some(OLD), is_there: true, owner: true, thief: true, others: 0 };

    fn is_in(&mut self, who: Who) -> &mut bool {
        match who {
            Owner => &mut self.owner,
            Thief => &mut self.thief,
        }
    }

    fn sessions(&self) -> u64 {
        u64::from(self.owner) + u64::from(self.thief) + self.others
    }

    fn end_all(&mut self) -> u64 {
        let ended = self.sessions();
        (self.owner, self.thief, self.others) = (false, false, 0);
        ended
    }

    /// Does what the operation promises to whoever is alone. Returns how much was done.
    fn after(&mut self, operation: Operation) -> u64 {
        let is_proved = |account: &mut Self, who| {
            *account.is_in(who) && account.is_there && account.password == Some(OLD)
        };
        let is_done = match operation {
            Change(who) if is_proved(self, who) => {
                self.end_all();
                *self.is_in(who) = true;
                self.password = Some(NEW[who as usize]);
                true
            }
            Reauthenticate(who) => is_proved(self, who),
            Delete(who) if is_proved(self, who) => {
                self.end_all();
                (self.is_there, self.password) = (false, None);
                true
            }
            LogOut(who) => {
                *self.is_in(who) = false;
                true
            }
            RevokeOthers(who) if *self.is_in(who) => {
                let ended = self.end_all() - 1;
                *self.is_in(who) = true;
                return ended;
            }
            RevokeTheOther(who) if *self.is_in(who) => {
                let other = if who == Owner { Thief } else { Owner };
                std::mem::replace(self.is_in(other), false)
            }
            LogIn if self.password == Some(OLD) => {
                self.others += 1;
                true
            }
            AdminSets if self.is_there => {
                self.end_all();
                self.password = self.password.map(|_| SET);
                true
            }
            AdminDisables if self.is_there => {
                self.end_all();
                self.password = None;
                true
            }
            AdminDeletes if self.is_there => {
                self.end_all();
                (self.is_there, self.password) = (false, None);
                true
            }
            AdminRevokes => return self.end_all(),
            _ => false,
        };
        u64::from(is_done)
    }
}

/// An account with two sessions.
struct Stage {
    user: User,
    email: String,
    sessions: [Authenticated; 2],
}

fn browser(n: u8) -> Caller {
    Caller::visitor(Client::new(Some([203, 0, 113, n].into()), Some("Test/1.0")))
}

impl Stage {
    async fn new(auth: &Auth, email: String) -> Self {
        let caller = &browser(1);
        let acting = auth.by(caller);
        let user = acting.register(NewUser::new(&email, "Ada", OLD)).await.unwrap().user;
        let enter = async || {
            let Ok(LoginState::Complete(begun)) = acting.log_in(LogIn::new(&email, OLD)).await
            else {
                panic!("ada logs in");
            };
            Authenticated::new(begun.user, begun.session, true)
        };
        let sessions = [enter().await, enter().await];
        Self { user, email, sessions }
    }

    /// Does the operation on a node. Returns how much was done; whatever is refused is 0.
    async fn run(&self, auth: &Auth, operation: Operation) -> u64 {
        let (visitor, admin) = (&browser(2), &Caller::administrator());
        let (acting, admin) = (auth.by(visitor), auth.by(admin));
        let id = self.user.id;
        let who = |who: Who| &self.sessions[who as usize];
        let asked_by = |by: Who| acting.sessions(id).asked_in(who(by).session.id);
        let is_done = match operation {
            Change(by) => {
                let new = NEW[by as usize];
                refused(acting.account(who(by)).change_password(Some(OLD), new).await).is_some()
            }
            Reauthenticate(by) => {
                let proof = Credential::Password(OLD);
                refused(acting.account(who(by)).reauthenticate(proof).await).is_some()
            }
            Delete(by) => {
                let proof = Some(Credential::Password(OLD));
                refused(acting.account(who(by)).delete(proof).await).is_some()
            }
            LogOut(by) => acting.log_out(&who(by).session).await.is_ok(),
            RevokeOthers(by) => return asked_by(by).revoke_all().await.unwrap(),
            RevokeTheOther(by) => {
                let other = &self.sessions[1 - by as usize].session;
                asked_by(by).revoke(other.id).await.unwrap()
            }
            LogIn => refused(acting.log_in(LogIn::new(&self.email, OLD)).await).is_some(),
            AdminSets => refused(admin.admin().set_password(&self.user, SET).await).is_some(),
            AdminDisables => admin.admin().set_active(id, false).await.unwrap(),
            AdminDeletes => admin.admin().delete(id).await.unwrap(),
            AdminRevokes => return admin.sessions(id).revoke_all().await.unwrap(),
        };
        u64::from(is_done)
    }

    /// Finds out what is left, as another node sees it.
    async fn look(&self, auth: &Auth) -> Account {
        let user = auth.users().by_id(self.user.id).await.unwrap();
        let caller = &browser(3);
        let live = auth.by(caller).sessions(self.user.id).list().await.unwrap();
        let is_in = |who: Who| {
            let id = self.sessions[who as usize].session.id;
            live.iter().any(|session| session.id == id)
        };
        let (owner, thief) = (is_in(Owner), is_in(Thief));
        let others = live.len() as u64 - u64::from(owner) - u64::from(thief);
        let mut password = None;
        for typed in [OLD, NEW[0], NEW[1], SET] {
            if auth.by(caller).log_in(LogIn::new(&self.email, typed)).await.is_ok() {
                assert_eq!(password.replace(typed), None, "two passwords log in");
            }
        }
        Account { password, is_there: user.is_some(), owner, thief, others }
    }
}

/// Returns what was done; `None` if it was refused. The store must answer.
fn refused<T, E: Debug>(done: Result<T, E>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(error) => {
            let why = format!("{error:?}");
            assert!(!why.contains("Unavailable"), "{why}");
            None
        }
    }
}

async fn node(url: &str) -> Auth {
    let mut config = AuthConfig::default();
    config.hashing = HashingConfig::cheap();
    config.throttle = None;
    let database = Database::connect(url).await.unwrap();
    let clock = database.clock();
    Auth::with(database, clock, config).unwrap()
}

/// Runs every pair at once on accounts of their own. A pair of equal operations is one too.
async fn race(url: &str) {
    let nodes = Arc::new([node(url).await, node(url).await]);
    let mut pairs = Vec::new();
    for (n, first) in ALL.into_iter().enumerate() {
        pairs.extend(ALL.into_iter().skip(n).map(|second| [first, second]));
    }
    let mut wrong = Vec::new();
    for (batch, pairs) in pairs.chunks(16).enumerate() {
        let mut running = JoinSet::new();
        for (n, pair) in pairs.iter().copied().enumerate() {
            let (nodes, email) = (Arc::clone(&nodes), format!("ada{batch}.{n}@example.org"));
            running.spawn(async move { try_pair(&nodes, email, pair).await });
        }
        while let Some(done) = running.join_next().await {
            wrong.extend(done.unwrap());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a pair. Returns what is wrong with its outcome.
async fn try_pair(nodes: &[Auth; 2], email: String, pair: [Operation; 2]) -> Option<String> {
    let stage = Stage::new(&nodes[0], email).await;
    let start = Barrier::new(2);
    let run = async |n: usize| {
        start.wait().await;
        stage.run(&nodes[n], pair[n]).await
    };
    let (first, second) = tokio::join!(run(0), run(1));
    let found = ([first, second], stage.look(&nodes[1]).await);
    let in_order = |[a, b]: [usize; 2]| {
        let (mut account, mut done) = (Account::NEW, [0; 2]);
        done[a] = account.after(pair[a]);
        done[b] = account.after(pair[b]);
        (done, account)
    };
    let orders = [in_order([0, 1]), in_order([1, 0])];
    (!orders.contains(&found)).then(|| format!("{pair:?}: {found:?}, neither of {orders:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_operations_on_an_account_come_one_after_the_other_in_a_file() {
    let place = Place::new();
    race(&format!("sqlite:{}?mode=rwc", place.path("countersign.db").display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_operations_on_an_account_come_one_after_the_other_on_each_server() {
    for database in TestDatabase::of_each().await {
        race(&database.url).await;
    }
}
