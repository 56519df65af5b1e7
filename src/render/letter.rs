//! Dead letters, for a person.

use crate::redis::dead::Filed;

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
    /// A field, empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }
}
