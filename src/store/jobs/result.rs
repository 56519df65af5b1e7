//! What a job did, as its row keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::task::TaskStatus;
use crate::domain::task::{Mode, SyncTask};
use crate::plan::render::digest::digest;
use crate::plan::result::Plan;
use crate::wire::status::TaskResult;

/// What a job did, as `cache_sync_jobs.result` keeps it: the status hash can be made again from the row alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobResult {
    /// Memberships added and removed.
    pub total_changes: u64,
    /// Universes whose members changed.
    pub universes_updated: Vec<String>,
    /// Universes that a guard held back.
    pub held_universes: Vec<String>,
    /// How each sub-task went.
    pub task_results: BTreeMap<SyncTask, TaskResult>,
    /// Sub-tasks finished.
    pub completed: u32,
    /// Securities read.
    pub total_symbols: u64,
    /// The result in a few words.
    pub digest: String,
    /// Whether the job was given up and belongs to the dead letters.
    pub is_dead_letter: bool,
}

impl JobResult {
    /// What carrying out `plan` did; `durations` as measured.
    pub fn of_plan(plan: &Plan, durations: &BTreeMap<SyncTask, u64>) -> Self {
        let task_results = plan.tasks.iter().map(|report| {
            let duration_ms = durations.get(&report.task).copied().unwrap_or(0);
            let result = TaskResult { status: report.status, changes: report.changes as u64, duration_ms };
            (report.task, result)
        });
        Self {
            total_changes: plan.total_changes() as u64,
            universes_updated: plan.updated(),
            held_universes: plan.held(),
            task_results: task_results.collect(),
            completed: plan.tasks.len() as u32,
            total_symbols: plan.total_symbols as u64,
            digest: digest(plan),
            is_dead_letter: false,
        }
    }

    /// A job of `mode` for which nothing needed to be done.
    pub fn of_skipped(mode: Mode) -> Self {
        let skipped = TaskResult { status: TaskStatus::Skipped, changes: 0, duration_ms: 0 };
        Self { task_results: mode.tasks().iter().map(|task| (*task, skipped)).collect(), ..Self::default() }
    }

    /// The result that a row keeps; that of a job that has not ended is empty.
    pub(super) fn from_json(json: Value) -> serde_json::Result<Self> {
        serde_json::from_value(json)
    }

    /// As the row keeps it.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a result is plain data")
    }
}
