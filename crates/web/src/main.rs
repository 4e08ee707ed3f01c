//! The program `countersign`.

fn main() -> std::process::ExitCode {
    countersign_web::program::main()
}
