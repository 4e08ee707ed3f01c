use std::sync::atomic::{AtomicU64, Ordering};

use crate::Outcome;
use crate::client::post;
use crate::floor::Hashes;
use crate::load::{Load, Plan};
use crate::population::{PASSWORD, address};
use crate::site::{Program, Site};
use crate::stats::Samples;

use super::Extent;
use super::page::{CONNECTIONS, Round, median};
use crate::report::{Figure, Target};

/// Enough members that none exceeds the limit of sessions for one user.
const MEMBERS: u64 = 512;

/// Returns a login request of the `n`th member.
pub(super) fn login(n: u64, password: &str) -> Vec<u8> {
    post("/login", &[], &[("email", &address(n)), ("password", password)])
}

/// Measures logins and registrations, and compares them with Argon2 alone on as many threads.
pub(super) fn measure(program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
    let (site, _) = Site::populated(program, MEMBERS, &UNTHROTTLED)?;
    let threads = program.workers()?;
    let plan = Plan::flat_out(CONNECTIONS, extent.round);
    let logins = || -> Outcome<Load> {
        let login = |n, nth| login((n + nth * CONNECTIONS) % MEMBERS, PASSWORD);
        plan.put_on(site.address, login)?.all(303)
    };
    let nth = AtomicU64::new(0);
    let registrations = || -> Outcome<Load> {
        let register = |_, _| {
            let n = nth.fetch_add(1, Ordering::Relaxed);
            let email = format!("newcomer{n}@example.org");
            let fields = [("email", &*email), ("username", "Newcomer"), ("password", PASSWORD)];
            post("/register", &[], &fields)
        };
        plan.put_on(site.address, register)?.all(303)
    };
    let (mut rounds, mut floors, mut newcomers) = (Vec::new(), Vec::new(), Vec::new());
    for round in extent.rounds("logins, Argon2 alone, registrations") {
        if round == 0 {
            logins()?;
        }
        rounds.push(Round::of(site.process(), logins)?);
        floors.push(Hashes::measure(threads, extent.round)?);
        newcomers.push(Round::of(site.process(), registrations)?);
    }
    let floor = |of: fn(&Hashes) -> f64| Samples::new(floors.iter().map(of)).median();
    let rate = |rounds: &[Round]| median(rounds, |round| round.load.rate());
    let millis = |rounds: &[Round]| median(rounds, |round| round.micros_each / 1000.0);
    Ok(vec![
        Figure::new("login: processor", millis(&rounds), "ms")
            .against(floor(|hashes| hashes.millis_each))
            .wanted(Target::ratio_at_most(1.05)),
        Figure::new("login: rate", rate(&rounds), "/s")
            .against(floor(|hashes| hashes.per_second))
            .wanted(Target::ratio_at_least(0.95)),
        Figure::new("registration: processor", millis(&newcomers), "ms")
            .against(floor(|hashes| hashes.millis_each)),
        Figure::new("registration: rate", rate(&newcomers), "/s")
            .against(floor(|hashes| hashes.per_second)),
    ])
}

/// Switches the throttle off: all clients share one address, and the throttle would slow them down as one.
pub(super) const UNTHROTTLED: [(&str, &str); 1] = [("COUNTERSIGN_THROTTLE__ENABLED", "false")];
