//! The `cache-sync` program. Everything it does is in the library.

// What a sync holds is short texts by the ten thousand. This allocator has no header beside each, so that a million
// securities need less memory than with that of the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cache_sync::cli::run()
}
