//! The tries that are under way in this process. A try counts as a failure of its place until its outcome is
//! known; of many that come from one place at the same moment, some wait for the others to succeed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_domain::CounterKey;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The most tries that wait at one counter. Those beyond are refused at once.
const MOST: u32 = 100;

/// The tries under way by the counters of their places.
#[derive(Default)]
pub(crate) struct UnderWay {
    doors: Mutex<HashMap<CounterKey, Door>>,
    ended: AtomicU64,
}

#[derive(Default)]
struct Door {
    under_way: u32,
    waiting: u32,
    ended: Arc<Notify>,
}

/// A try that is under way until this is dropped.
pub(crate) struct Begun {
    all: Arc<UnderWay>,
    keys: Vec<CounterKey>,
}

/// Somebody who waits for a try to end.
struct Waiter<'a> {
    all: &'a UnderWay,
    key: CounterKey,
}

impl UnderWay {
    fn doors(&self) -> MutexGuard<'_, HashMap<CounterKey, Door>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a try is under way, which these counters count.
    pub(crate) fn begin(self: &Arc<Self>, keys: Vec<CounterKey>) -> Begun {
        let mut doors = self.doors();
        for key in &keys {
            doors.entry(*key).or_default().under_way += 1;
        }
        drop(doors);
        Begun { all: Arc::clone(self), keys }
    }

    /// Counts the tries that have ended so far.
    pub(crate) fn ended_so_far(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits until a try has ended that this counter counts. False if none is under way, if too many wait
    /// already, or when it is too late.
    pub(crate) async fn wait(&self, key: CounterKey, deadline: Instant) -> bool {
        let ended = {
            let mut doors = self.doors();
            match doors.get_mut(&key).filter(|door| door.under_way > 0 && door.waiting < MOST) {
                Some(door) => {
                    door.waiting += 1;
                    // From here on it hears of all that end, before it is awaited too.
                    Arc::clone(&door.ended).notified_owned()
                }
                None => return false,
            }
        };
        let _waiter = Waiter { all: self, key };
        timeout_at(deadline, ended).await.is_ok()
    }

    fn change(&self, key: &CounterKey, change: impl FnOnce(&mut Door)) {
        let mut doors = self.doors();
        let Some(door) = doors.get_mut(key) else { return };
        change(door);
        if door.under_way == 0 && door.waiting == 0 {
            doors.remove(key);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.ended.fetch_add(1, Ordering::SeqCst);
        for key in &self.keys {
            self.all.change(key, |door| {
                door.under_way -= 1;
                match door.under_way {
                    // Nobody is left to wait for.
                    0 => door.ended.notify_waiters(),
                    // There is room for one at most, so that the others go on waiting.
                    _ => door.ended.notify_one(),
                }
            });
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.all.change(&self.key, |door| door.waiting -= 1);
    }
}
