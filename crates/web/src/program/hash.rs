use std::time::Duration;

use countersign_auth::HashingConfig;

use super::failure::Failure;
use super::output;
use super::span::Span;

/// Measures what password hashes cost on this machine, and proposes the costliest parameters that
/// stay within `target`.
pub(crate) fn calibrate(target: Duration) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut best = None;
    let memories = [19_456, 32_768, 47_104, 65_536, 98_304, 131_072, 196_608, 262_144];
    for memory_kib in memories {
        let mut shortest = Duration::MAX;
        for iterations in [2, 3, 4] {
            let config = HashingConfig { memory_kib, iterations, ..HashingConfig::default() };
            let took = config.measure().map_err(Failure::new)?;
            shortest = shortest.min(took);
            let millis = format!("{:.1}", took.as_secs_f64() * 1_000.0);
            rows.push([memory_kib.to_string(), iterations.to_string(), millis]);
            if took <= target && best.is_none_or(|(_, longest)| took > longest) {
                best = Some((config, took));
            }
        }
        // More memory takes longer: the rest would not fit.
        if shortest > target {
            break;
        }
    }
    output::table(["memory_kib", "iterations", "milliseconds"], &rows)?;
    let workers = HashingConfig::default().workers;
    let Some((config, took)) = best else {
        return output::say(&format!(
            "\nNothing that is strong enough fits into {}: keep the defaults.",
            Span(target)
        ));
    };
    let per_second = workers as f64 / took.as_secs_f64();
    let memory = u64::from(config.memory_kib) * workers as u64 / 1024;
    output::say(&format!(
        "\nProposed for {} a hash: about {per_second:.0} logins a second on {workers} workers, \
         {memory} MiB in all.\n\n[default.countersign.argon2]\nmemory_kib = {}\niterations = {}\n\
         parallelism = {}\nworkers = {workers}",
        Span(target),
        config.memory_kib,
        config.iterations,
        config.parallelism,
    ))
}
