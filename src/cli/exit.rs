//! How a command ends: its exit code and its one sentence.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | the thing asked for did not succeed |
//! | 2 | usage or configuration |
//! | 3 | Redis or Postgres is out of reach |
//! | 130 | interrupted while it waited |

use crate::failure::Failure;
use crate::plan::given::notice::Refusal;
use crate::settings::SettingsError;

/// Why a command did not simply succeed. The text goes to standard error, after `error: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The thing asked for did not succeed.
    NotDone(String),
    /// It did not succeed, and the output has already said so.
    NotDoneAsShown,
    /// The command line or the configuration is wrong.
    Usage(String),
    /// Redis or Postgres is out of reach.
    OutOfReach(String),
    /// Redis or Postgres is out of reach, and the output has already said so.
    OutOfReachAsShown,
    /// The user broke off the waiting.
    Interrupted,
    /// Nobody reads the output any more.
    Unheard,
}

impl Exit {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Unheard => 0,
            Self::NotDone(_) | Self::NotDoneAsShown => 1,
            Self::Usage(_) => 2,
            Self::OutOfReach(_) | Self::OutOfReachAsShown => 3,
            Self::Interrupted => 130,
        }
    }

    /// What is left to say, if anything.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::NotDone(text) | Self::Usage(text) | Self::OutOfReach(text) => Some(text),
            Self::NotDoneAsShown | Self::OutOfReachAsShown | Self::Interrupted | Self::Unheard => None,
        }
    }
}

impl From<SettingsError> for Exit {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<Failure> for Exit {
    fn from(failure: Failure) -> Self {
        let mut text = failure.to_string();
        // undefined_table: of ours, for the source is looked up in the catalogue before it is read.
        if text.contains("(42P01)") {
            text.push_str("; make the tables with: cache-sync migrate");
        }
        match failure {
            Failure::Transient { .. } => Self::OutOfReach(text),
            Failure::Conflict { .. } | Failure::Permanent { .. } => Self::NotDone(text),
        }
    }
}

impl From<Refusal> for Exit {
    fn from(refusal: Refusal) -> Self {
        Self::NotDone(format!("the plan was refused: {refusal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_the_code_of_the_contract() {
        let away = Failure::transient("connect to Postgres", "connection refused");
        let missing = Failure::permanent("read the job", "no such table");
        let wrong = SettingsError { problems: vec!["no such key".to_owned()] };
        let refusal = Refusal { code: "too_few_stocks", text: "3 active stocks".to_owned() };
        for (exit, code, message) in [
            (Exit::from(away), 3, "temporarily unable to connect to Postgres: connection refused"),
            (Exit::from(missing), 1, "unable to read the job: no such table"),
            (Exit::from(wrong), 2, "no such key"),
            (Exit::from(refusal), 1, "the plan was refused: too_few_stocks: 3 active stocks"),
        ] {
            assert_eq!((exit.code(), exit.message()), (code, Some(message)));
        }
        assert_eq!((Exit::Unheard.code(), Exit::Unheard.message()), (0, None));
        assert_eq!((Exit::Interrupted.code(), Exit::NotDoneAsShown.code()), (130, 1));
    }
}
