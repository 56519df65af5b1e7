//! The proof that nothing is lost and nothing done twice: the program itself, on private servers, is killed, stopped and
//! cut off at every step of a job's way, and at random moments under load.
//!
//! ```text
//!   faults                       a sample of the matrix and a few seconds of soak: what deploy/test.sh runs
//!   faults matrix [WORD ...]     the matrix, or its cells whose step or fault contains all the words: deploy/faults.sh
//!   faults pairs [OPTIONS]       two faults in one job: deploy/faults.sh --pairs N
//!   faults soak [OPTIONS]        random ends under load: deploy/soak.sh
//!   faults outages [WORD ...]    servers that go away under load: deploy/outages.sh
//! ```
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::process::ExitCode;

use shape::Shape;

#[path = "../world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the world has more verbs than these tests need")]
mod world;

mod cell;
mod checks;
mod matrix;
mod monitor;
mod network;
mod outages;
mod pairs;
mod scenario;
mod shape;
mod soak;
mod socket;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> =
        args.iter().map(String::as_str).filter(|word| !word.starts_with("--test")).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let is_well = runtime.block_on(async {
        match words.split_first() {
            Some((&"matrix", words)) => match shape_of(words) {
                Ok((shape, words)) => matrix::run(&matrix::Choice::Containing(words), shape).await,
                Err(problem) => {
                    eprintln!("{problem}");
                    false
                }
            },
            Some((&"pairs", words)) => match pairs::Plan::parse(words) {
                Ok(plan) => pairs::run(plan).await,
                Err(problem) => {
                    eprintln!("{problem}");
                    false
                }
            },
            Some((&"outages", words)) => outages::run(words).await,
            Some((&"soak", words)) => match soak::Plan::parse(words) {
                Ok(plan) => {
                    Box::pin(soak::run(plan)).await;
                    true
                }
                Err(problem) => {
                    eprintln!("{problem}");
                    false
                }
            },
            _ => {
                let is_well = matrix::run(&matrix::Choice::Sample, Shape::Universe).await
                    & matrix::run(&matrix::Choice::Containing(&["`commit`"]), Shape::Newest).await
                    & pairs::run(pairs::Plan::sample()).await;
                Box::pin(soak::run(soak::Plan::short())).await;
                is_well
            }
        }
    });
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The database that is asked for by a first word, and the words behind it.
fn shape_of<'a, 'b>(words: &'a [&'b str]) -> Result<(Shape, &'a [&'b str]), String> {
    let Some((first, rest)) = words.split_first() else { return Ok((Shape::Universe, words)) };
    let Some(name) = first.strip_prefix("on:") else { return Ok((Shape::Universe, words)) };
    let shape =
        Shape::from_text(name).ok_or(format!("on:{name} is none of on:universe, on:newest, on:older"))?;
    Ok((shape, rest))
}
