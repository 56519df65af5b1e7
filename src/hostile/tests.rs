//! What the tests of readers of outside data have in common: any JSON, the files of a corpus, and what a complaint may
//! look like.

use proptest::prelude::*;
use serde_json::Value;

/// JSON of any shape, some levels deep, with the words of a reader among its names and texts.
pub(crate) fn any_json(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let text = move || {
        prop_oneof![
            proptest::sample::select(words).prop_map(str::to_owned),
            proptest::sample::select(vec![
                "",
                "\u{0}",
                "\u{1b}[31m",
                "\u{202e}",
                "-1",
                "1e999",
                "NaN",
                "true",
                "[]"
            ])
            .prop_map(str::to_owned),
            ".{0,12}",
        ]
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The files of `tests/corpus/<reader>`, whose README tells the format; by name.
pub(crate) fn corpus(reader: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/corpus/{reader}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .expect("the corpus")
        .map(|entry| entry.expect("a file of the corpus"))
        .filter(|entry| entry.file_name() != "README.md")
        .map(|entry| {
            let bytes = std::fs::read(entry.path()).expect("a file of the corpus");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// Fit for a log and a terminal: not empty, not endless, nothing that moves a cursor.
pub(crate) fn assert_is_a_sentence(text: &str) {
    let is_fit = !text.is_empty() && text.len() < 1_500 && !text.chars().any(char::is_control);
    assert!(is_fit, "{text:?}");
}
