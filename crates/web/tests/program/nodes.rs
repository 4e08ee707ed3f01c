//! Tests of several nodes on one database, each of which follows what the others do.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::http::{Browser, Reply};
use crate::server::TestDatabase;
use crate::support::{EMAIL, OTHER_PASSWORD, PASSWORD, Place, Server};

/// The limit for what is promised within a second, with a margin for busy machines.
const SOON: Duration = Duration::from_secs(20);

/// A staleness so long that a node can notice a change sooner only by following the others.
pub(crate) const AN_HOUR: (&str, &str) = ("COUNTERSIGN_SESSION__MAX_STALENESS", "1h");

pub(crate) const NOBODY_IS_SLOWED: (&str, &str) = ("COUNTERSIGN_THROTTLE__ENABLED", "false");

/// Nodes on one database.
pub(crate) struct Nodes<const N: usize> {
    place: Place,
    env: Vec<(String, String)>,
    pub(crate) nodes: [Server; N],
}

impl<const N: usize> Nodes<N> {
    /// Starts the nodes, and registers a member.
    pub(crate) fn on(url: &str, settings: &[(&str, &str)]) -> Self {
        let all = Self::start(url, settings);
        all.nodes[0].browser().try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
        all
    }

    pub(crate) fn start(url: &str, settings: &[(&str, &str)]) -> Self {
        let place = Place::new();
        let env = [&[("COUNTERSIGN_DATABASE_URL", url)], settings].concat();
        let nodes = [(); N].map(|()| place.start(&env)).map(|node| node.ready());
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Self { env: env.collect(), place, nodes }
    }

    /// Logs a member in at the first node, and returns their browser for the second node, after a first
    /// request there.
    pub(crate) fn known_at_second(&self) -> Browser {
        let mut there = self.nodes[0].member(EMAIL, PASSWORD);
        there.port = self.nodes[1].port;
        there.get("/blogs").is(200);
        there
    }

    #[track_caller]
    fn command(&self, args: &[&str], stdin: &str) {
        let env: Vec<_> = self.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.place.run_with(&env, args, stdin).works();
    }
}

#[track_caller]
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
pub(crate) fn is_out(browser: &mut Browser, why: &str) {
    soon(why, || match browser.get("/blogs") {
        Reply { status: 200, .. } => false,
        reply => reply.sees_other("/login?next=%2Fblogs").status == 303,
    });
}

/// Asserts that the second node soon notices what is done at the first node and on the command line, long
/// before the staleness is over.
#[track_caller]
fn all_is_known(nodes: &Nodes<2>) {
    let mut there = nodes.known_at_second();
    let mut here = there.clone();
    here.port = nodes.nodes[0].port;
    here.post("/logout", &[]).sees_other("/login");
    is_out(&mut there, "logged out");

    let mut there = nodes.known_at_second();
    let mut here = nodes.nodes[0].member(EMAIL, PASSWORD);
    here.post("/account/sessions/revoke-others", &[]).is(303);
    is_out(&mut there, "revoked by the user");

    let mut there = nodes.known_at_second();
    nodes.command(&["session", "revoke", "--user", EMAIL, "--all"], "");
    is_out(&mut there, "revoked by an administrator");

    let mut there = nodes.known_at_second();
    nodes.command(&["user", "disable", EMAIL], "");
    is_out(&mut there, "disabled");
    nodes.command(&["user", "enable", EMAIL], "");

    let mut there = nodes.known_at_second();
    let stdin = format!("{OTHER_PASSWORD}\n");
    nodes.command(&["user", "set-password", EMAIL, "--password-stdin"], &stdin);
    is_out(&mut there, "the password was changed");
}

#[tokio::test]
async fn what_one_node_does_the_others_know_soon_on_each_server() {
    for database in TestDatabase::of_each().await {
        all_is_known(&Nodes::on(&database.url, &[AN_HOUR, NOBODY_IS_SLOWED]));
    }
}

#[test]
fn what_the_command_line_does_a_site_on_a_file_knows_soon() {
    all_is_known(&Nodes::on("sqlite://site.db?mode=rwc", &[AN_HOUR, NOBODY_IS_SLOWED]));
}

/// Lets many visitors ask both nodes at the same moment, and returns the number of answers of each status.
fn at_once<const N: usize>(
    nodes: &Nodes<N>,
    count: usize,
    ask: impl Fn(&mut Browser) -> Reply + Sync,
) -> BTreeMap<u16, usize> {
    let mut answers = BTreeMap::new();
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..count)
            .map(|n| {
                let (mut visitor, ask) = (nodes.nodes[n % N].browser(), &ask);
                scope.spawn(move || ask(&mut visitor).status)
            })
            .collect();
        for visitor in visitors {
            *answers.entry(visitor.join().unwrap()).or_insert(0) += 1;
        }
    });
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_two_nodes_at_once_no_more_are_let_in_than_at_one() {
    for database in TestDatabase::of_each().await {
        // Waits long enough for all hashes, so that no login is answered 503.
        let nodes = Nodes::<2>::on(&database.url, &[("COUNTERSIGN_ARGON2__MAX_WAIT", "60s")]);
        let answers = at_once(&nodes, 24, |eve| eve.log_in(EMAIL, OTHER_PASSWORD));
        let let_in = BTreeMap::from([(401, 5), (429, 19)]);
        assert_eq!(answers, let_in, "{:?}", database.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_login_that_is_used_at_two_nodes_at_once_has_one_new_secret() {
    for database in TestDatabase::of_each().await {
        let nodes = Nodes::<2>::on(&database.url, &[]);
        let mut ada = nodes.nodes[0].browser();
        let form = [("email", EMAIL), ("password", PASSWORD), ("remember", "on")];
        ada.post("/login", &form).sees_other("/blogs");
        ada.cookies.retain(|(name, _)| name == "remember_token");
        let secrets = std::sync::Mutex::new(Vec::new());
        let answers = at_once(&nodes, 8, |browser| {
            browser.cookies.clone_from(&ada.cookies);
            let reply = browser.get("/blogs");
            let secret =
                reply.all("Set-Cookie").find(|cookie| cookie.starts_with("remember_token="));
            secrets.lock().unwrap().extend(secret.map(str::to_owned));
            reply
        });
        assert_eq!(answers, BTreeMap::from([(200, 8)]), "{:?}", database.engine);
        let secrets = secrets.into_inner().unwrap();
        assert_eq!(secrets.len(), 1, "{:?}: {secrets:?}", database.engine);
    }
}

/// Returns the environment that moves a program's clock ahead by this number of seconds. Returns `None` if
/// faketime is not installed.
#[expect(clippy::print_stderr, reason = "a skipped test prints the reason")]
fn other_time(ahead: i32) -> Option<[(String, String); 3]> {
    let offset = format!("{ahead:+}s");
    let asked = Command::new("faketime").args(["-f", &offset, "printenv", "LD_PRELOAD"]).output();
    let Ok(preload) = asked.map(|asked| String::from_utf8(asked.stdout).unwrap()) else {
        eprintln!("skipped: clocks that differ: there is no faketime");
        return None;
    };
    Some([
        ("LD_PRELOAD".to_owned(), preload.trim().to_owned()),
        ("FAKETIME".to_owned(), offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ])
}

/// Returns the current hour, as a moment begins with it.
fn this_hour() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%dT%H"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_the_database_decides_and_one_that_is_off_is_reported() {
    let (hour, minute) = (3_600, 60);
    let (Some(ahead), Some(behind)) = (other_time(2 * hour), other_time(-5 * minute)) else {
        return;
    };
    for database in TestDatabase::of_each().await {
        let place = Place::new();
        let common = [
            ("COUNTERSIGN_DATABASE_URL", database.url.as_str()),
            ("COUNTERSIGN_SESSION__MAX_STALENESS", "0s"),
        ];
        let node = |time: &[(String, String)]| {
            let time = time.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            place.start(&common.into_iter().chain(time).collect::<Vec<_>>()).ready()
        };
        let (right, ahead, behind) = (node(&[]), node(&ahead), node(&behind));
        right.browser().try_register(EMAIL, PASSWORD).unwrap().sees_other("/login");
        let before = this_hour();
        // An idle session ends after half an hour.
        let mut ada = ahead.member(EMAIL, PASSWORD);
        for node in [&ahead, &right, &behind, &ahead] {
            ada.port = node.port;
            ada.get("/blogs").is(200);
        }
        let listed = place.run_with(&common, &["session", "list", "--user", EMAIL, "--json"], "");
        let created = listed.json()[0]["created_at"].as_str().unwrap().to_owned();
        let during = [before, this_hour()];
        assert!(during.iter().any(|hour| created.starts_with(hour)), "{created}: {during:?}");

        let ready = right.browser().get("/health/ready").is(200).body.clone();
        assert_eq!(ready, "ready\n");
        for (node, what) in [(&ahead, "7200 s ahead of"), (&behind, "300 s behind")] {
            soon("the clock is reported", || {
                let ready = node.browser().get("/health/ready").is(200).body.clone();
                let off = ready.strip_prefix("ready\nthis machine's clock is ");
                off == Some(&format!("{what} the database's\n"))
            });
            assert!(node.log().contains("check the time of both"), "{}", node.log());
        }
    }
}
