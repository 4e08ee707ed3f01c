//! The program `countersign`.

/// A page is many small allocations: with this allocator it takes a sixth less of the processor than
/// with that of the GNU C library (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    countersign_web::program::main()
}
