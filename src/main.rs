//! The `cache-sync` program. Everything it does is in the library.

fn main() -> std::process::ExitCode {
    cache_sync::cli::run()
}
