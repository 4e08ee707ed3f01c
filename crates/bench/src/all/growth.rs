use std::sync::atomic::{AtomicU64, Ordering};

use crate::Outcome;
use crate::load::{Load, Plan};
use crate::population::{PASSWORD, Population};
use crate::site::{Program, Site};

use super::Extent;
use super::hashing::{UNTHROTTLED, login};
use super::page::{CONNECTIONS, Round, median};
use crate::report::{Figure, Target};

/// A site with a certain number of users, and what was measured on it.
struct Grown {
    site: Site,
    members: Population,
    bytes_each: f64,
    pages: Vec<Round>,
    logins: Vec<Round>,
    /// Counts the requests, so that each comes from the next member and no session is in the cache.
    next: AtomicU64,
}

impl Grown {
    fn page(&self, plan: Plan) -> Outcome<Load> {
        // A stride that is coprime to every power of ten visits each member once.
        let page = |_, _| {
            let n = self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(7_919);
            self.members.members_page(n)
        };
        plan.put_on(self.site.address, page)?.all(200)
    }

    fn login(&self, plan: Plan) -> Outcome<Load> {
        let login = |_, _| {
            let n = self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(7_919);
            login(n % self.members.size(), PASSWORD)
        };
        plan.put_on(self.site.address, login)?.all(303)
    }
}

/// Measures what the members' page and a login cost without the session cache, on databases of growing size.
pub(super) fn measure(program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
    let uncached = [UNTHROTTLED[0], ("COUNTERSIGN_SESSION__MAX_STALENESS", "0s")];
    let mut sites = Vec::new();
    for &size in extent.sizes {
        extent.note(&format!("making {size} users with a session each"));
        let (site, members) = Site::populated(program, size, &uncached)?;
        let bytes_each = site.bytes()? as f64 / size as f64;
        let (pages, logins, next) = (Vec::new(), Vec::new(), AtomicU64::new(0));
        sites.push(Grown { site, members, bytes_each, pages, logins, next });
    }
    let plan = Plan::flat_out(CONNECTIONS, extent.round);
    for grown in &sites {
        grown.page(plan)?;
    }
    for _ in extent.rounds("pages and logins, uncached") {
        for grown in &mut sites {
            let pages = Round::of(grown.site.process(), || grown.page(plan))?;
            let logins = Round::of(grown.site.process(), || grown.login(plan))?;
            grown.pages.push(pages);
            grown.logins.push(logins);
        }
    }
    let rate = |rounds: &[Round]| median(rounds, |round| round.load.rate());
    let mut figures = Vec::new();
    let first = sites.first().map(|grown| (rate(&grown.pages), rate(&grown.logins)));
    let (first_pages, first_logins) = first.unwrap_or_default();
    for grown in &sites {
        let size = grown.members.size();
        let named = |what: &str| format!("{size} users: {what}");
        let cpu = median(&grown.pages, |round| round.micros_each);
        figures.push(
            Figure::new(&named("members' page, uncached: rate"), rate(&grown.pages), "/s")
                .against(first_pages)
                .wanted(Target::ratio_at_least(0.9)),
        );
        figures.push(Figure::new(&named("members' page, uncached: processor"), cpu, "µs"));
        figures.push(
            Figure::new(&named("login: rate"), rate(&grown.logins), "/s").against(first_logins),
        );
        figures.push(Figure::new(
            &named("file, each user with a session"),
            grown.bytes_each,
            "bytes",
        ));
    }
    Ok(figures)
}
