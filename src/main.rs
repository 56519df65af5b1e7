//! The `cache-sync` program. Everything it does is in the library.

// What a sync holds is short texts by the ten thousand. This allocator has no header beside each, and a worker needs a
// sixth less memory for a million securities than with that of the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cache_sync::cli::run()
}
