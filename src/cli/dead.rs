//! `dead`: entries of the job stream that were given up, with why and what they said.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::redis::dead::{self, Filed};
use crate::service::Service;
use crate::wire::event::Source;

use super::exit::Exit;
use super::screen::{self, Cell, Ink, Style, Table};
use super::{Context, now};

/// Looks at dead letters: entries that were given up, with why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync dead list
  cache-sync dead show 1767992999000-0
  cache-sync dead list --json | jq -r '.[].reason' | sort | uniq -c
  cache-sync dead replay 1767992999000-0
  cache-sync dead purge")]
pub struct DeadArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: DeadCommand,
}

/// What can be done with dead letters.
#[derive(Debug, clap::Subcommand)]
pub enum DeadCommand {
    /// Lists dead letters, newest first
    List {
        /// How many, up to 1000
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Shows those about one entry or job with everything they said
    Show {
        /// The id of the letter, of its entry, or of its job
        id: String,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Asks again for what a letter asked for, as a new job, and takes the letter away
    Replay {
        /// The id of the letter, of its entry, or of its job
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Every letter that asks for something usable
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Throws all dead letters away
    Purge,
}

/// Runs `dead`.
pub async fn dead(args: &DeadArgs, context: &Context) -> Result<(), Exit> {
    let service = context.service()?;
    match &args.command {
        DeadCommand::List { limit, json } => {
            let letters = dead::list(&service.redis, &service.names, (*limit).into()).await?;
            let letters: Vec<Letter> = letters.into_iter().map(Letter::from).collect();
            if *json {
                screen::print_json(&letters.iter().map(letter_json).collect())
            } else {
                screen::print(&render_dead(&letters, now(), &context.style))
            }
        }
        DeadCommand::Show { id, json } => {
            let letters: Vec<Letter> = find(&service, id).await?.into_iter().map(Letter::from).collect();
            if *json {
                screen::print_json(&letters.iter().map(letter_json).collect())
            } else {
                let shown: Vec<String> =
                    letters.iter().map(|letter| render_letter(letter, &context.style)).collect();
                screen::print(&shown.join("\n"))
            }
        }
        DeadCommand::Replay { id: Some(id), .. } => replay(find(&service, id).await?, &service).await,
        DeadCommand::Replay { id: None, .. } => {
            let letters = dead::list(&service.redis, &service.names, dead::KEPT).await?;
            replay(letters, &service).await
        }
        DeadCommand::Purge => {
            let purged = dead::purge(&service.redis, &service.names).await?;
            screen::print(&format!(
                "{} thrown away.\n",
                screen::counted(purged, "dead letter", "dead letters")
            ))
        }
    }
}

/// The letters about one entry or job; none is an error.
async fn find(service: &Service, id: &str) -> Result<Vec<Filed>, Exit> {
    let letters = dead::find(&service.redis, &service.names, id).await?;
    if letters.is_empty() {
        return Err(Exit::NotDone(format!(
            "there is no dead letter {id:?}; `cache-sync dead list` lists them"
        )));
    }
    Ok(letters)
}

/// Asks again for what the letters asked for; says of each what became of it.
async fn replay(letters: Vec<Filed>, service: &Service) -> Result<(), Exit> {
    let mut refused = 0;
    for filed in letters {
        let asked_again = match filed.letter.and_then(|letter| dead::replayed(&letter, now())) {
            Ok(request) => {
                let submitted = service.submit(&request, Source::Job, now()).await?;
                dead::remove(&service.redis, &service.names, &filed.id).await?;
                format!("{}  asked for again as job {}\n", filed.id, submitted.job_id)
            }
            Err(problem) => {
                refused += 1;
                format!("{}  can't be replayed: {problem}\n", filed.id)
            }
        };
        screen::print(&asked_again)?;
    }
    if refused > 0 { Err(Exit::NotDoneAsShown) } else { Ok(()) }
}

/// A dead letter as people see it: its id in the stream of dead letters, and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The id in the stream of dead letters.
    pub id: String,
    /// Its fields, in order; bytes that are no text are replaced.
    pub fields: Vec<(String, String)>,
}

impl From<Filed> for Letter {
    fn from(filed: Filed) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let fields = match filed.letter {
            Ok(letter) => {
                letter.to_fields().into_iter().map(|(name, value)| (text(name), text(value))).collect()
            }
            Err(problem) => vec![("error".to_owned(), format!("this letter can't be read: {problem}"))],
        };
        Self { id: filed.id, fields }
    }
}

impl Letter {
    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }
}

/// A table of dead letters, in the order given.
pub fn render_dead(letters: &[Letter], now: DateTime<Utc>, style: &Style) -> String {
    if letters.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let mut table = Table::new(["ENTRY", "JOB", "REASON", "#ATTEMPTS", "GIVEN UP", "ERROR"]);
    for letter in letters {
        let given_up = letter.get("failed_at").parse().map(|at| screen::when(at, now)).unwrap_or_default();
        table.row([
            letter.get("entry_id").into(),
            letter.get("job_id").into(),
            Cell::new(Ink::Red, letter.get("reason")),
            letter.get("attempts").into(),
            given_up.into(),
            letter.get("error").into(),
        ]);
    }
    table.render(style)
}

/// One dead letter with all its fields.
pub fn render_letter(letter: &Letter, style: &Style) -> String {
    let mut table = Table::new(["", ""]);
    for (name, text) in &letter.fields {
        let ink = if name == "error" || name == "reason" { Ink::Red } else { Ink::Plain };
        table.row([Cell::new(Ink::Dim, format!("  {name}")), Cell::new(ink, text.clone())]);
    }
    format!("Dead letter {}\n{}", style.paint(Ink::Bold, &letter.id), table.render(style))
}

/// A dead letter for a program: its fields, and its id as `id`.
pub fn letter_json(letter: &Letter) -> Value {
    let id = [("id".to_owned(), Value::from(letter.id.clone()))];
    let fields = letter.fields.iter().map(|(name, text)| (name.clone(), Value::from(text.clone())));
    id.into_iter().chain(fields).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        let fields = [
            ("entry_id", "1767992999000-0"),
            ("job_id", "eod-1"),
            ("reason", "invalid_field"),
            ("error", "mode: \"everything\" is no mode"),
            ("attempts", "0"),
            ("last_step", ""),
            ("failed_at", "2026-01-09T21:10:00.000Z"),
            ("original.mode", "every\u{1b}[2Jthing"),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        Letter { id: "1767993000000-0".to_owned(), fields }
    }

    #[test]
    fn dead_letters_are_listed_with_why() {
        let now = "2026-01-09T21:15:00Z".parse().expect("a time");
        insta::assert_snapshot!(render_dead(&[letter()], now, &Style::PLAIN), @r#"
        ENTRY            JOB    REASON         ATTEMPTS  GIVEN UP   ERROR
        1767992999000-0  eod-1  invalid_field         0  5 min ago  mode: "everything" is no mode
        "#);
        assert_eq!(render_dead(&[], now, &Style::PLAIN), "No dead letters.\n");
    }

    #[test]
    fn one_is_shown_with_what_it_said_but_without_what_steers_a_terminal() {
        insta::assert_snapshot!(render_letter(&letter(), &Style::PLAIN), @r#"
        Dead letter 1767993000000-0
          entry_id       1767992999000-0
          job_id         eod-1
          reason         invalid_field
          error          mode: "everything" is no mode
          attempts       0
          last_step
          failed_at      2026-01-09T21:10:00.000Z
          original.mode  every [2Jthing
        "#);
        assert_eq!(letter_json(&letter())["original.mode"], "every\u{1b}[2Jthing");
    }
}
