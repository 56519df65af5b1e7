//! The log: lines on standard error, filtered by `CACHE_SYNC_LOG`.

use tracing_subscriber::EnvFilter;

use super::exit::Exit;

/// The variable that says what is logged, such as `info,cache_sync::worker=debug`.
const FILTER_VARIABLE: &str = "CACHE_SYNC_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line, for log collectors.
    Json,
}

/// Starts logging to standard error.
///
/// # Errors
/// [`Exit::Usage`] for a filter that can't be understood.
pub(super) fn start(format: LogFormat, verbose: u8, is_terminal: bool) -> Result<(), Exit> {
    let filter = filter(std::env::var(FILTER_VARIABLE).ok().as_deref(), verbose)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A worker whose log nobody reads any more works on; complaining about it on the same closed pipe would panic.
        .log_internal_errors(false);
    let started = match format {
        LogFormat::Text => lines.with_ansi(is_terminal).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| Exit::NotDone(format!("cannot start the log: {error}")))
}

/// What the drivers say of connections that broke: our own lines say what could not be done because of it, once.
const DRIVERS: &str = "deadpool=error,tokio_postgres=error";

/// The variable where it is set, else warnings, with `-v` milestones, with `-vv` everything of ours.
fn filter(variable: Option<&str>, verbose: u8) -> Result<EnvFilter, Exit> {
    let usual = match verbose {
        0 => format!("warn,{DRIVERS}"),
        1 => format!("warn,{DRIVERS},cache_sync=info"),
        _ => "info,cache_sync=debug".to_owned(),
    };
    let directives = variable.filter(|text| !text.trim().is_empty()).unwrap_or(&usual);
    EnvFilter::try_new(directives).map_err(|error| {
        Exit::Usage(format!(
            "{FILTER_VARIABLE}: {directives:?} is no log filter ({error}); it looks like info,cache_sync=debug"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_beats_the_flag_and_nonsense_is_refused() {
        let shown = |variable, verbose| filter(variable, verbose).map(|filter| filter.to_string());
        assert_eq!(shown(None, 0), Ok("tokio_postgres=error,deadpool=error,warn".to_owned()));
        assert!(shown(Some(" "), 1).is_ok_and(|shown| shown.contains("cache_sync=info")));
        assert_eq!(shown(Some("debug"), 0), Ok("debug".to_owned()));
        let refused = filter(Some("cache_sync=loud"), 0).expect_err("no level of that name");
        assert_eq!(refused.code(), 2);
    }
}
