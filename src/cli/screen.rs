//! Printing that survives `| head`; how things look is told by [`crate::render::screen`].

use std::io::{self, Write};

use serde_json::Value;

use super::exit::Exit;

pub use crate::render::screen::*;

/// Writes a text to standard output.
///
/// # Errors
/// [`Exit::Unheard`] where nobody reads any more, as in `| head`: the program then ends in silence.
pub fn print(text: &str) -> Result<(), Exit> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::Unheard,
        _ => Exit::NotDone(format!("cannot write to standard output: {error}")),
    })
}

/// Says something beside the output, on standard error. Where nobody listens there, so be it: `eprintln!` would panic.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a JSON value to standard output.
pub fn print_json(value: &Value) -> Result<(), Exit> {
    print(&format!("{value:#}\n"))
}
