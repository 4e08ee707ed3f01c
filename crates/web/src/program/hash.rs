use std::time::Duration;

use countersign_auth::{HashingConfig, measure_hashing};

use super::failure::Failure;
use super::output;
use super::settings::Span;

/// Fewer workers, which need less memory, are proposed if they reach this share of the best rate.
const NEARLY_AS_MANY: f64 = 0.95;

/// Measures password hashes on this machine while all of its cores hash, and proposes the costliest
/// parameters that stay within `target`.
pub(crate) fn calibrate(target: Duration) -> Result<(), Failure> {
    let Some(costliest) = choose_cost(target)? else {
        return output::say(&format!(
            "\nNo strong enough parameters stay within {}: keep the defaults.",
            Span(target)
        ));
    };
    output::say("")?;
    let (config, took) = choose_workers(costliest)?;
    let HashingConfig { memory_kib, iterations, parallelism, workers, .. } = config;
    let per_second = per_second(workers, took);
    let each = memory_kib / 1024;
    let all = u64::from(memory_kib) * workers as u64 / 1024;
    output::say(&format!(
        "\nProposed for {} a hash: about {per_second:.0} logins a second. Each worker keeps {each} MiB \
         of memory, all workers together {all} MiB.\n\n[default.countersign.argon2]\n\
         memory_kib = {memory_kib}\niterations = {iterations}\nparallelism = {parallelism}\n\
         workers = {workers}",
        Span(target),
    ))
}

/// Finds the costliest parameters with which a hash stays within `target` while every core hashes.
/// All candidates are above OWASP's floor.
fn choose_cost(target: Duration) -> Result<Option<HashingConfig>, Failure> {
    let mut rows = Vec::new();
    let mut best = None;
    let memories = [19_456, 32_768, 47_104, 65_536, 98_304, 131_072, 196_608, 262_144];
    for memory_kib in memories {
        let mut shortest = Duration::MAX;
        for iterations in [2, 3, 4] {
            let mut config = HashingConfig::default();
            (config.memory_kib, config.iterations) = (memory_kib, iterations);
            let took = measure_hashing(&config).map_err(Failure::new)?;
            shortest = shortest.min(took);
            rows.push([memory_kib.to_string(), iterations.to_string(), millis(took)]);
            if took <= target && best.is_none_or(|(_, longest)| took > longest) {
                best = Some((config, took));
            }
        }
        // More memory takes longer: the remaining candidates would not fit.
        if shortest > target {
            break;
        }
    }
    output::table(["memory_kib", "iterations", "milliseconds"], &rows)?;
    Ok(best.map(|(config, _)| config))
}

/// Finds the fewest workers that hash nearly as fast as the best number of workers, and the time that
/// each takes for a hash. Where memory bandwidth is the limit, more workers only take more memory.
fn choose_workers(config: HashingConfig) -> Result<(HashingConfig, Duration), Failure> {
    let doubled = std::iter::successors(Some(1_usize), |workers| workers.checked_mul(2));
    let fewer = doubled.take_while(|workers| *workers < config.workers);
    let mut measured = Vec::new();
    for workers in fewer.chain([config.workers]) {
        let mut config = config;
        config.workers = workers;
        measured.push((config, measure_hashing(&config).map_err(Failure::new)?));
    }
    let rate = |(config, took): &(HashingConfig, Duration)| per_second(config.workers, *took);
    let rows: Vec<_> = measured
        .iter()
        .map(|one| [one.0.workers.to_string(), millis(one.1), format!("{:.0}", rate(one))])
        .collect();
    output::table(["workers", "milliseconds", "logins a second"], &rows)?;
    let best = measured.iter().map(rate).fold(0.0, f64::max);
    let enough = measured.iter().copied().find(|one| rate(one) >= NEARLY_AS_MANY * best);
    enough.ok_or_else(|| Failure::new("nothing was measured"))
}

fn per_second(workers: usize, took: Duration) -> f64 {
    workers as f64 / took.as_secs_f64()
}

fn millis(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1_000.0)
}
