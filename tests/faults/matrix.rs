//! The matrix: every step and every fault, in worlds beside each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::cell::{FAULTS, Fault, clean_run, play, template, why_not};
use super::scenario::{ROWS, Row, Scenario};
use super::shape::Shape;
use crate::world::Template;

/// Cells played at the same time. They mostly wait.
const AT_ONCE: usize = 5;
/// More processes than this that want a processor are not these cells alone, and times say little.
const BUSY: f64 = 6.0;
/// The table of steps, which is also in the documentation of the worker.
const STEPS: &str = include_str!("../../src/worker/steps.md");

/// Which cells are played.
pub(crate) enum Choice<'a> {
    /// About one in eight: every step and every fault.
    Sample,
    /// Those whose step or fault contain all of these words; without words all.
    Containing(&'a [&'a str]),
}

impl Choice<'_> {
    fn has(&self, number: usize, row: &Row, fault: Fault, column: usize) -> bool {
        match self {
            Self::Sample => number % FAULTS.len() == column,
            Self::Containing(words) => {
                let name = format!("{} {}", row.name(), fault.name());
                words.iter().all(|word| name.contains(word))
            }
        }
    }
}

/// Row and column of a cell.
type Place = (usize, usize);

/// What a cell came to.
enum Cell {
    Passed(Duration),
    /// All is as it must be, but later than it may be, on a machine that does much else.
    Late(Duration),
    Violated,
    Impossible(&'static str),
    NotPlayed,
}

/// Plays the chosen cells and prints the table; whether all is as it must be.
pub(crate) async fn run(choice: &Choice<'_>, shape: Shape) -> bool {
    let began = Instant::now();
    let template = template(shape).await;
    let chosen: Vec<Place> = (0..ROWS.len())
        .flat_map(|row| (0..FAULTS.len()).map(move |column| (row, column)))
        .filter(|(row, column)| choice.has(*row, &ROWS[*row], FAULTS[*column], *column))
        .collect();
    let mut expected = BTreeMap::new();
    let mut passed = BTreeSet::new();
    let scenarios: BTreeSet<Scenario> = chosen.iter().map(|(row, _)| ROWS[*row].scenario).collect();
    for scenario in scenarios {
        let (effects, trace) = clean_run(scenario, &template).await;
        passed.extend(trace);
        expected.insert(scenario, effects);
    }
    let is_complete = !matches!(choice, Choice::Sample) && chosen.len() < ROWS.len() * FAULTS.len()
        || every_step_has_its_row(&passed);

    let mut cells: BTreeMap<Place, Cell> = BTreeMap::new();
    let mut plays = VecDeque::new();
    for place in chosen {
        let (row, fault) = (ROWS[place.0], FAULTS[place.1]);
        match why_not(&row, fault) {
            Some(why) => {
                cells.insert(place, Cell::Impossible(why));
            }
            None => plays.push_back((place, expected[&row.scenario].clone())),
        }
    }
    let plays = Mutex::new(plays);
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| play_all(&plays, &template))).collect();
        for player in players {
            cells.extend(player.join().unwrap());
        }
    });
    report(&cells, began.elapsed());
    is_complete && !cells.values().any(|cell| matches!(cell, Cell::Violated))
}

/// Plays one cell after the other, each in a runtime of its own, until none is left.
fn play_all(plays: &Mutex<VecDeque<(Place, Vec<String>)>>, template: &Template) -> Vec<(Place, Cell)> {
    let mut played = Vec::new();
    loop {
        let Some((place, expected)) = plays.lock().unwrap().pop_front() else { return played };
        let (row, fault) = (ROWS[place.0], FAULTS[place.1]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let began = Instant::now();
        let cell = catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(row, fault, template, &expected))));
        eprintln!("{} s: {}, {}", began.elapsed().as_secs(), row.name(), fault.name());
        played.push((
            place,
            match cell {
                Ok(recovered) => judge(row, fault, recovered),
                Err(panic) => {
                    eprintln!("VIOLATED {}, {}", row.name(), fault.name());
                    drop(panic);
                    Cell::Violated
                }
            },
        ));
    }
}

/// Whether it took as long as it may.
fn judge(row: Row, fault: Fault, recovered: Duration) -> Cell {
    match fault.bound() {
        Some(bound) if recovered > bound => {
            let is_busy = load() > BUSY;
            let word = if is_busy { "LATE" } else { "VIOLATED" };
            eprintln!(
                "{word} {}, {}: {:.1} s, where a lease and two seconds are {:.1} s",
                row.name(),
                fault.name(),
                recovered.as_secs_f64(),
                bound.as_secs_f64()
            );
            if is_busy { Cell::Late(recovered) } else { Cell::Violated }
        }
        Some(_) | None => Cell::Passed(recovered),
    }
}

/// How many processes want a processor.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Whether the steps of the documentation, those of the matrix and those that jobs pass are the same.
fn every_step_has_its_row(passed: &BTreeSet<String>) -> bool {
    let documented: BTreeSet<String> = STEPS
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(step, _)| step.to_owned())
        .collect();
    let played: BTreeSet<String> = ROWS.iter().map(|row| row.step.to_owned()).collect();
    let passed: BTreeSet<String> =
        passed.iter().filter_map(|point| Some(point.split_once('.')?.0.to_owned())).collect();
    for (what, steps) in [("the matrix", &played), ("the jobs of a clean run", &passed)] {
        for step in documented.symmetric_difference(steps) {
            eprintln!("VIOLATED step {step} stands either in src/worker/steps.md or in {what}, not in both");
        }
    }
    documented == played && documented == passed
}

fn report(cells: &BTreeMap<Place, Cell>, took: Duration) {
    let mut notes: Vec<&str> = Vec::new();
    println!("| step | {} |", FAULTS.map(Fault::name).join(" | "));
    println!("|---|{}", "---|".repeat(FAULTS.len()));
    for (number, row) in ROWS.iter().enumerate() {
        let shown: Vec<String> = (0..FAULTS.len())
            .map(|column| match cells.get(&(number, column)).unwrap_or(&Cell::NotPlayed) {
                Cell::Passed(_) => "✓".to_owned(),
                Cell::Late(_) => "late".to_owned(),
                Cell::Violated => "**✗**".to_owned(),
                Cell::NotPlayed => String::new(),
                Cell::Impossible(why) => {
                    let note = notes.iter().position(|note| note == why).unwrap_or_else(|| {
                        notes.push(why);
                        notes.len() - 1
                    });
                    format!("({})", note + 1)
                }
            })
            .collect();
        println!("| {} | {} |", row.name(), shown.join(" | "));
    }
    println!();
    for (number, note) in notes.iter().enumerate() {
        println!("({}) {note}", number + 1);
    }
    println!();
    for (column, fault) in FAULTS.iter().enumerate() {
        let mut times: Vec<Duration> = cells
            .iter()
            .filter_map(|((_, at), cell)| match cell {
                Cell::Passed(recovered) | Cell::Late(recovered) if *at == column => Some(*recovered),
                _ => None,
            })
            .collect();
        times.sort();
        if let (Some(middle), Some(longest)) = (times.get(times.len() / 2), times.last()) {
            println!(
                "{}: done, told and acknowledged after {:.1} s, at most {:.1} s",
                fault.name(),
                middle.as_secs_f64(),
                longest.as_secs_f64()
            );
        }
    }
    let count = |is: fn(&Cell) -> bool| cells.values().filter(|cell| is(cell)).count();
    println!(
        "\n{} cells played, {} violations, {} late on a busy machine, {} impossible, in {} s",
        count(|cell| matches!(cell, Cell::Passed(_) | Cell::Late(_) | Cell::Violated)),
        count(|cell| matches!(cell, Cell::Violated)),
        count(|cell| matches!(cell, Cell::Late(_))),
        count(|cell| matches!(cell, Cell::Impossible(_))),
        took.as_secs()
    );
}
