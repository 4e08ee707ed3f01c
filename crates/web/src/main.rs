//! The program `countersign`.

/// A page makes many small allocations: this allocator takes a sixth less processor time for it than
/// that of the GNU C library (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    countersign_web::program::main()
}
