//! The command line: one file per group of commands.
//!
//! A command loads the settings, calls the library, and shows what it got; decisions are the library's. Output goes to
//! standard output and nothing else does, so it can be piped; the one sentence of an error and the log go to standard
//! error. How a command ends is an [`exit::Exit`].

#![expect(
    clippy::doc_markdown,
    reason = "comments of arguments are shown as help, where backticks are noise"
)]
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "screens are small, and the plain form can be read beside what it shows"
)]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::Utc;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::service::Service;
use crate::settings::{LoadArgs, Settings};
use crate::store::{Client, Database};

pub mod account;
pub mod adopt;
pub mod cancel;
pub mod changes;
pub mod dead;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod history;
pub mod jobs;
mod log;
pub mod migrate;
pub mod picture;
pub mod pins;
pub mod plan;
pub mod progress;
pub mod quarantine;
pub mod reject;
pub mod replay;
pub mod revert;
pub mod screen;
pub mod serve;
pub mod showcase;
pub mod submit;
pub mod themes;
pub mod universes;
pub mod worker;

use exit::Exit;
use log::LogFormat;
use screen::{ColorChoice, Style};

/// Keeps the stock and ETF universes of TickStock in step with the market: once a trading day, exactly once.
///
/// Workers take jobs from a Redis stream, read `symbols` and daily closes from Postgres, and write what changed to
/// `cache_entries`, with history and events. Everything else here asks for jobs or looks at them.
#[derive(Debug, Parser)]
#[command(name = "cache-sync", version, propagate_version = true, after_help = HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The command line as the program understands it, for whoever checks an example without running it.
pub fn command() -> clap::Command {
    Cli::command()
}

const HELP: &str = "\
Configuration, strongest first:
  flags          --config FILE, --set KEY=VALUE
  environment    DATABASE_URL, REDIS_URL, CACHE_SYNC_CONFIG, CACHE_SYNC_API_KEY,
                 CACHE_SYNC__SECTION__KEY for any other setting
  file           config/cache_sync.toml, which explains every setting
Passwords belong in the environment or the file: a command line shows in the list of processes.

Exit codes:
  0  done    1  what was asked for did not succeed    2  usage or configuration    3  Redis or Postgres out of reach

Example:
  export DATABASE_URL=postgresql://user:password@localhost/tickstock REDIS_URL=redis://localhost:6379
  cache-sync doctor";

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "General options")]
struct Global {
    /// The configuration file; one that is named must exist [default: config/cache_sync.toml where it exists]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// One setting, stronger than file and environment, such as redis.prefix=staging; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", hide_possible_values = true)]
    color: ColorChoice,
    /// Log lines: text, or json for log collectors
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        env = "CACHE_SYNC_LOG_FORMAT",
        hide_possible_values = true,
        hide_env_values = true,
        default_value = "text"
    )]
    log_format: LogFormat,
    /// Log more, -vv still more; CACHE_SYNC_LOG=cache_sync=debug chooses exactly
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    Migrate(migrate::MigrateArgs),
    Worker(worker::WorkerArgs),
    Serve(serve::ServeArgs),
    Submit(submit::SubmitArgs),
    Cancel(cancel::CancelArgs),
    Revert(revert::RevertArgs),
    Status(jobs::StatusArgs),
    Jobs(jobs::JobsArgs),
    Plan(plan::PlanArgs),
    Changes(changes::ChangesArgs),
    Themes(themes::ThemesArgs),
    Universes(universes::UniversesArgs),
    Explain(explain::ExplainArgs),
    Pin(pins::PinArgs),
    Ban(pins::BanArgs),
    Unpin(pins::UnpinArgs),
    Unban(pins::UnbanArgs),
    Pins(pins::PinsArgs),
    Quarantine(quarantine::QuarantineArgs),
    Approve(quarantine::ApproveArgs),
    Distrust(quarantine::DistrustArgs),
    Reject(reject::RejectArgs),
    Dead(dead::DeadArgs),
    History(history::HistoryArgs),
    Replay(replay::ReplayArgs),
    Adopt(adopt::AdoptArgs),
    Doctor(doctor::DoctorArgs),
    Demo(demo::DemoArgs),
}

impl Command {
    /// How much is logged without being asked for: a service speaks of its milestones, the others only of surprises.
    fn usual_verbosity(&self) -> u8 {
        u8::from(matches!(self, Self::Worker(_) | Self::Serve(_)))
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE, such as redis.prefix=staging")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    say_one_sentence_on_panic();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => {
            // Help and version come this way too. A closed pipe is no reason to complain.
            let _ = shown.print();
            return ExitCode::from(u8::try_from(shown.exit_code()).unwrap_or(2));
        }
    };
    // The hook has said what there is to say.
    let ended = std::panic::catch_unwind(|| execute(cli)).unwrap_or(Err(Exit::NotDoneAsShown));
    let Err(exit) = ended else { return ExitCode::SUCCESS };
    if let Some(message) = exit.message() {
        screen::remark(&format!("error: {message}"));
    }
    ExitCode::from(exit.code())
}

/// A panic is a mistake of ours. Its place is worth a report, a backtrace is worth nothing to an operator.
fn say_one_sentence_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let what = screen::printable(what);
        screen::remark(&format!("error: this is a bug in cache-sync, please report it: {what} ({place})"));
    }));
}

fn execute(cli: Cli) -> Result<(), Exit> {
    let verbosity = cli.global.verbose.saturating_add(cli.command.usual_verbosity());
    log::start(cli.global.log_format, verbosity, std::io::stderr().is_terminal())?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Exit::NotDone(format!("cannot start the runtime: {error}")))?;
    let ended = runtime.block_on(dispatch(cli));
    // Something may still be talking to a server that does not answer; nobody waits for it.
    runtime.shutdown_background();
    ended
}

async fn dispatch(cli: Cli) -> Result<(), Exit> {
    // The demo reads no configuration, and runs where there is none.
    if let Command::Demo(args) = &cli.command {
        return Box::pin(demo::demo(args, &Style::of_stdout(cli.global.color))).await;
    }
    let context = Context::load(cli.global)?;
    if matches!(cli.command, Command::Submit(_) | Command::Revert(_)) {
        context.refuse_rules()?;
    }
    let is_preview = matches!(cli.command, Command::Plan(_) | Command::Explain(_) | Command::Replay(_));
    let ended = match cli.command {
        Command::Migrate(args) => migrate::migrate(&args, &context).await,
        Command::Worker(args) => worker::worker(&args, &context).await,
        Command::Serve(args) => serve::serve(&args, &context).await,
        Command::Submit(args) => submit::submit(&args, &context).await,
        Command::Cancel(args) => cancel::cancel(&args, &context).await,
        Command::Revert(args) => revert::revert(&args, &context).await,
        Command::Status(args) => jobs::status(&args, &context).await,
        Command::Jobs(args) => jobs::jobs(&args, &context).await,
        Command::Plan(args) => plan::plan(&args, &context).await,
        Command::Changes(args) => changes::changes(&args, &context).await,
        Command::Themes(args) => themes::themes(&args, &context).await,
        Command::Universes(args) => universes::universes(&args, &context).await,
        Command::Explain(args) => explain::explain(&args, &context).await,
        Command::Pin(args) => pins::pin(&args, &context).await,
        Command::Ban(args) => pins::ban(&args, &context).await,
        Command::Unpin(args) => pins::unpin(&args, &context).await,
        Command::Unban(args) => pins::unban(&args, &context).await,
        Command::Pins(args) => pins::pins(&args, &context).await,
        Command::Quarantine(args) => quarantine::quarantine(&args, &context).await,
        Command::Approve(args) => quarantine::approve(&args, &context).await,
        Command::Distrust(args) => quarantine::distrust(&args, &context).await,
        Command::Reject(args) => reject::reject(&args, &context).await,
        Command::Dead(args) => dead::dead(&args, &context).await,
        Command::History(args) => history::history(&args, &context).await,
        Command::Replay(args) => replay::replay(&args, &context).await,
        Command::Adopt(args) => adopt::adopt(&args, &context).await,
        Command::Doctor(args) => doctor::doctor(&args, &context).await,
        Command::Demo(_) => Ok(()),
    };
    if is_preview && ended.is_ok() {
        context.rules.iter().for_each(|rule| screen::remark(&format!("note: {}", rule.how_to_keep())));
    }
    ended.map_err(|exit| context.with_addresses(exit))
}

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    /// The configuration.
    pub settings: Settings,
    /// The screen.
    pub style: Style,
    /// The rules that `--set` changes, for this process alone.
    rules: Vec<Rule>,
}

/// A rule from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    key: String,
    value: String,
}

impl Rule {
    /// `it holds for this command only; to make it last, write "large_cap = 12e9" under [market_cap_thresholds] ...`.
    fn how_to_keep(&self) -> String {
        let Self { key, value } = self;
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        format!(
            "--set {key}={value} holds for this command only; to make it last, write `{name} = {value}` under \
             [{section}] in the configuration of the workers, and restart them"
        )
    }
}

impl Context {
    fn load(global: Global) -> Result<Self, Exit> {
        let Global { config, set, color, .. } = global;
        let load = |set: Vec<(String, String)>| Settings::load(LoadArgs::of_process(config.clone(), set));
        let settings = load(set.clone())?;
        tracing::info!("configuration: {}", settings.summary());
        // A setting is a rule where the rules are others without it.
        let rules_without = |index: usize| {
            let others = set.iter().enumerate().filter(|(other, _)| *other != index);
            load(others.map(|(_, pair)| pair.clone()).collect())
                .map(|settings| settings.policy().fingerprint())
        };
        let fingerprint = settings.policy().fingerprint();
        let is_rule = |index: usize| rules_without(index).is_ok_and(|without| without != fingerprint);
        let rules = set.iter().enumerate().filter(|(index, _)| is_rule(*index));
        let rules = rules.map(|(_, (key, value))| Rule { key: key.clone(), value: value.clone() }).collect();
        Ok(Self { settings, style: Style::of_stdout(color), rules })
    }

    /// A job is done by workers, which know nothing of the rules of this process.
    fn refuse_rules(&self) -> Result<(), Exit> {
        let Some(rule) = self.rules.first() else { return Ok(()) };
        let Rule { key, value } = rule;
        Err(Exit::Usage(format!(
            "{key} is a rule, and workers decide by the rules of their own configuration, so nothing was asked for; look \
             at what it would change with: cache-sync plan --set {key}={value}; {}",
            rule.how_to_keep()
        )))
    }

    /// The database, not yet connected.
    pub fn database(&self) -> Result<Database, Exit> {
        Database::new(&self.settings.database).map_err(Exit::Usage)
    }

    /// Where jobs are asked for and looked up, not yet connected.
    pub fn service(&self) -> Result<Service, Exit> {
        Service::new(&self.settings).map_err(Exit::Usage)
    }

    /// A connection to the database.
    pub async fn client(&self) -> Result<Client, Exit> {
        Ok(self.database()?.client().await?)
    }

    /// Says of a server that is away where it was looked for.
    fn with_addresses(&self, exit: Exit) -> Exit {
        let Exit::OutOfReach(text) = exit else { return exit };
        let (postgres, redis) = (self.settings.database.address(), self.settings.redis.address());
        Exit::OutOfReach(format!("{text} (DATABASE_URL leads to {postgres}, REDIS_URL to {redis})"))
    }
}

/// The time that everything of one screen is told from.
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("cache-sync {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn a_setting_on_the_command_line_is_a_key_and_a_value() {
        let cli = Cli::try_parse_from(["cache-sync", "jobs", "--set", "redis.prefix=a=b"]).expect("valid");
        assert_eq!(cli.global.set, [("redis.prefix".to_owned(), "a=b".to_owned())]);
        assert!(Cli::try_parse_from(["cache-sync", "jobs", "--set", "redis.prefix"]).is_err());
    }
}
