use crate::Outcome;
use crate::load::{Load, Plan};
use crate::process::Process;
use crate::site::{Program, Site};
use crate::stats::Samples;

use super::Extent;
use crate::report::{Figure, Target};

/// Enough connections to keep the site busy, and few enough to leave it most of the processor.
pub(crate) const CONNECTIONS: u64 = 16;

/// A load, and the processor time in microseconds that a process used for each request of it.
pub(crate) struct Round {
    pub(crate) load: Load,
    pub(crate) micros_each: f64,
}

impl Round {
    pub(crate) fn of(process: Process, load: impl FnOnce() -> Outcome<Load>) -> Outcome<Self> {
        let before = process.cpu()?;
        let load = load()?;
        let cpu = process.cpu()?.saturating_sub(before);
        let micros_each = cpu.as_secs_f64() * 1e6 / load.requests().max(1) as f64;
        Ok(Self { load, micros_each })
    }
}

/// Returns the median over the rounds of the value that `of` takes from each.
pub(crate) fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    Samples::new(rounds.iter().map(of)).median()
}

/// Measures the members' page against Rocket with the same template, and the redirect to the login.
pub(super) fn measure(program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
    let (site, members) = Site::populated(program, CONNECTIONS, &[])?;
    let floor = Site::floor("page")?;
    let plan = Plan::flat_out(CONNECTIONS, extent.round);
    let page = || plan.put_on(site.address, |n, _| members.members_page(n))?.all(200);
    let bare = || plan.put_on(floor.address, |n, _| members.members_page(n))?.all(200);
    let stranger = b"GET /blogs HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let away = || plan.put_on(site.address, |_, _| stranger.to_vec())?.all(303);
    let (mut pages, mut floors, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
    for round in extent.rounds("the members' page, Rocket alone, the redirect") {
        if round == 0 {
            // A first load warms up both processes: afterwards everything is parsed, allocated and cached.
            page()?;
            bare()?;
        }
        pages.push(Round::of(site.process(), page)?);
        floors.push(Round::of(floor.process(), bare)?);
        redirects.push(Round::of(site.process(), away)?);
    }
    let cpu = |rounds: &[Round]| median(rounds, |round| round.micros_each);
    let rate = |rounds: &[Round]| median(rounds, |round| round.load.rate());
    let at = |rounds: &[Round], q| median(rounds, |round| round.load.latencies.quantile(q));
    Ok(vec![
        Figure::new("members' page: processor", cpu(&pages), "µs")
            .against(cpu(&floors))
            .wanted(Target::ratio_at_most(1.10)),
        Figure::new("members' page: rate", rate(&pages), "/s").against(rate(&floors)),
        Figure::new("members' page: p50", at(&pages, 0.5), "ms").against(at(&floors, 0.5)),
        Figure::new("members' page: p99", at(&pages, 0.99), "ms").against(at(&floors, 0.99)),
        Figure::new("anonymous redirect: processor", cpu(&redirects), "µs"),
        Figure::new("anonymous redirect: rate", rate(&redirects), "/s"),
    ])
}
