//! Measures what a hash with the default parameters costs, in milliseconds of a core. It compares the crates
//! that can compute it, memory that is kept or allocated for each hash, and one or two threads at once. It
//! runs only on Linux, which reports the processor time of a thread.
//!
//! ```console
//! $ cargo run --release -p countersign-auth --features argon2-simd --example hash_cost
//! ```
//!
//! `docs/hashing.md` contains the results.
#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

use std::error::Error;
use std::sync::Barrier;

use argon2::{Argon2, Block};

const ROUNDS: usize = 9;
const HASHES: u32 = 20;

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Hash = Box<dyn FnMut() -> bool>;
/// The name of a way to hash, and a function that prepares it on the current thread.
type Way = (&'static str, fn() -> Hash);

const WAYS: &[Way] = &[
    ("argon2, kept memory", || {
        let argon2 = Argon2::default();
        let mut blocks = vec![Block::default(); argon2.params().block_count()];
        Box::new(move || {
            let (mut output, salt) = ([0; 32], [7; 16]);
            let blocks = &mut blocks;
            argon2.hash_password_into_with_memory(b"a password", &salt, &mut output, blocks).is_ok()
        })
    }),
    ("argon2, fresh memory", || {
        Box::new(|| {
            let mut output = [0; 32];
            Argon2::default().hash_password_into(b"a password", &[7; 16], &mut output).is_ok()
        })
    }),
    #[cfg(feature = "argon2-simd")]
    ("argon2-rust, kept memory", || {
        let mut hasher = simd().hasher();
        Box::new(move || hasher.hash_into(b"a password", &[7; 16], &mut [0; 32]).is_ok())
    }),
    #[cfg(feature = "argon2-simd")]
    ("argon2-rust, fresh memory", || {
        Box::new(|| simd().hash_into(b"a password", &[7; 16], &mut [0; 32]).is_ok())
    }),
];

/// Returns a hasher of `argon2-rust` with its default parameters, which are those of `argon2`.
#[cfg(feature = "argon2-simd")]
fn simd() -> argon2_rust::Argon2 {
    use argon2_rust::{Algorithm, Params, Version};
    argon2_rust::Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::OWASP)
}

/// Returns the processor time of this thread, in milliseconds.
fn cpu() -> Done<f64> {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    Ok(nanoseconds / 1e6)
}

/// Measures the cost of a hash while this number of threads hash, on the thread where it costs most.
fn cost((name, make): Way, threads: usize) -> Done<f64> {
    let barrier = Barrier::new(threads);
    let hash = || -> Done<f64> {
        let mut hash = make();
        let works = hash();
        barrier.wait();
        let before = cpu()?;
        let works = (0..HASHES).fold(works, |works, _| hash() && works);
        let cost = (cpu()? - before) / f64::from(HASHES);
        if works { Ok(cost) } else { Err(format!("{name} cannot hash").into()) }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(hash)).collect();
        running.into_iter().try_fold(0.0, |most: f64, one| match one.join() {
            Ok(cost) => Ok(most.max(cost?)),
            Err(_) => Err("a thread panicked".into()),
        })
    })
}

fn main() -> Done<()> {
    println!("{:28}  one thread  two at once", "milliseconds of a core");
    let mut costs = vec![[Vec::new(), Vec::new()]; WAYS.len()];
    // The ways take turns, so that other work on the machine slows down all alike.
    for _ in 0..ROUNDS {
        for (way, costs) in WAYS.iter().zip(&mut costs) {
            for (threads, costs) in (1..).zip(costs) {
                costs.push(cost(*way, threads)?);
            }
        }
    }
    for ((name, _), costs) in WAYS.iter().zip(costs) {
        let [one, two] = costs.map(median);
        println!("{name:28}  {one:10.1}  {two:11.1}");
    }
    Ok(())
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}
