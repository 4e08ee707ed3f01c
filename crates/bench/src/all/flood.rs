use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::load::{Load, Plan};
use crate::population::{PASSWORD, Population, WRONG};
use crate::process::Process;
use crate::site::{Program, Site};

use super::Extent;
use super::hashing::{UNTHROTTLED, login};
use crate::report::{Figure, Target};

const ATTACKERS: u64 = 64;
/// The number of members who read: each requests a page, and the next one after [`PACE`].
const READERS: u64 = 4;
const PACE: Duration = Duration::from_millis(10);
/// The memory in MiB that one hash needs, and what the site may use on top of all workers.
const MEMORY_OF_A_WORKER: f64 = 19.0;
const MEMORY_BESIDE: f64 = 48.0;

/// What members and the site experience while attackers log in.
struct Members {
    pages: Load,
    /// The peak memory of the site, in MiB.
    memory: f64,
    /// The requests of the attackers, and how they were answered.
    others: Option<Load>,
}

impl Members {
    fn p(&self, q: f64) -> f64 {
        self.pages.latencies.quantile(q)
    }

    /// Returns the percentage of the attackers' requests that were answered with this status.
    fn percent_of_others(&self, status: u16) -> f64 {
        let others = self.others.as_ref();
        let found = others.and_then(|load| load.statuses.get(&status)).copied().unwrap_or(0);
        found as f64 * 100.0 / others.map_or(1, Load::requests).max(1) as f64
    }
}

/// Measures how a flood of logins changes members' latency and the site's memory.
pub(super) fn measure(program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
    let (site, members) = Site::populated(program, 512, &UNTHROTTLED)?;
    let idle = site.process().memory()?;
    let duration = extent.round * 2;
    extent.note("members alone");
    let alone = read(&site, &members, duration, None)?;
    extent.note("members in a flood of wrong passwords");
    let flood = |n: u64, nth: u64| login((n * 7 + nth) % members.size(), WRONG);
    let wrong = read(&site, &members, duration, Some(&flood))?;
    extent.note("members in a flood of right passwords");
    let crowd = |n: u64, nth: u64| login((n * 8 + nth) % members.size(), PASSWORD);
    let right = read(&site, &members, duration, Some(&crowd))?;
    drop(site);
    extent.note("members in a flood of wrong passwords that is throttled");
    let (site, members) = Site::populated(program, 512, &[])?;
    let throttled = read(&site, &members, duration, Some(&flood))?;
    let bound = idle + program.workers()? as f64 * MEMORY_OF_A_WORKER + MEMORY_BESIDE;
    let p99 = |name, seen: &Members| Figure::new(name, seen.p(0.99), "ms").against(alone.p(0.99));
    Ok(vec![
        Figure::new("members alone: p50", alone.p(0.5), "ms"),
        Figure::new("members alone: p99", alone.p(0.99), "ms"),
        Figure::new("flood of wrong passwords: members' p50", wrong.p(0.5), "ms")
            .against(alone.p(0.5)),
        p99("flood of wrong passwords: members' p99", &wrong).wanted(Target::ratio_at_most(3.0)),
        Figure::new("flood of wrong passwords: members' p99, absolute", wrong.p(0.99), "ms")
            .wanted(Target::value_at_most(10.0)),
        Figure::new("flood of wrong passwords: memory", wrong.memory, "MiB")
            .against(idle)
            .wanted(Target::value_at_most(bound)),
        Figure::new(
            "flood of wrong passwords: told to wait (503)",
            wrong.percent_of_others(503),
            "%",
        ),
        Figure::new("flood of right passwords: members' p50", right.p(0.5), "ms")
            .against(alone.p(0.5)),
        p99("flood of right passwords: members' p99", &right),
        Figure::new("flood of right passwords: memory", right.memory, "MiB").against(idle),
        p99("throttled flood: members' p99", &throttled),
        Figure::new("throttled flood: slowed down (429)", throttled.percent_of_others(429), "%"),
    ])
}

/// Lets members read at their pace, while attackers send the requests that `flood` makes as fast as they are
/// answered.
fn read(
    site: &Site,
    members: &Population,
    duration: Duration,
    flood: Option<&(dyn Fn(u64, u64) -> Vec<u8> + Sync)>,
) -> Outcome<Members> {
    let readers = Plan { connections: READERS, duration, pace: PACE };
    let attackers = Plan::flat_out(ATTACKERS, duration);
    let is_over = AtomicBool::new(false);
    let most = Mutex::new(0.0_f64);
    let (pages, others) = thread::scope(|scope| {
        scope.spawn(|| watch(site.process(), &is_over, &most));
        let failed = |error: Box<dyn std::error::Error>| error.to_string();
        let others = flood.map(|flood| {
            scope.spawn(move || attackers.put_on(site.address, flood).map_err(failed))
        });
        let pages = readers.put_on(site.address, |n, _| members.members_page(n));
        let others = others.map(thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        (pages, others)
    });
    let others = match others {
        Some(Ok(load)) => Some(load?),
        Some(Err(_)) => return Err("a client panicked".into()),
        None => None,
    };
    let memory = *most.lock().map_err(|_| "the watch panicked")?;
    Ok(Members { pages: pages?.all(200)?, memory, others })
}

fn watch(process: Process, is_over: &AtomicBool, most: &Mutex<f64>) {
    while !is_over.load(Ordering::Relaxed) {
        if let (Ok(now), Ok(mut most)) = (process.memory(), most.lock()) {
            *most = most.max(now);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
