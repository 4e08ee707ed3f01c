use std::sync::Arc;
use std::time::Instant;

use crate::Outcome;
use crate::client::Connection;
use crate::site::{Program, Site};
use crate::stats::Samples;

use super::Extent;
use crate::report::{Figure, Target};

/// Measures how long the program takes to serve its first page, and how much memory it uses then.
pub(super) fn measure(program: &Program, extent: &Extent) -> Outcome<Vec<Figure>> {
    let (site, _) = Site::populated(program, 1_000, &[])?;
    let folder = site.stop();
    let (mut millis, mut memory) = (Vec::new(), Vec::new());
    for _ in extent.rounds("starts") {
        for _ in 0..3 {
            let begun = Instant::now();
            let site = Site::start_in(Arc::clone(&folder), program, &[])?;
            let front_page = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let (answer, _) = Connection::open(site.address)?.send(front_page)?;
            millis.push(begun.elapsed().as_secs_f64() * 1000.0);
            if answer.status != 200 {
                return Err(format!("the front page was answered {}", answer.status).into());
            }
            memory.push(site.process().memory()?);
        }
    }
    Ok(vec![
        Figure::new("start to the first page", Samples::new(millis).median(), "ms")
            .wanted(Target::value_at_most(150.0)),
        Figure::new("memory when idle", Samples::new(memory).median(), "MiB")
            .wanted(Target::value_at_most(40.0)),
    ])
}
