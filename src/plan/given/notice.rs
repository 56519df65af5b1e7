//! What a person is told beside a plan: warnings, with which a job goes on, and refusals, with which it ends.

/// Something a person should know; the job goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A word to search for.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// The whole job is refused: nothing is written, and trying again will not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Refusal {
    /// A word to search for.
    pub code: &'static str,
    /// What was seen, what was expected, what to do.
    pub text: String,
}
