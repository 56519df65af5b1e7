use proptest::prelude::*;
use serde_json::json;

use super::*;

const ENTRY: &str = "1690000000000-0";

fn raw(fields: &[(&str, &str)]) -> Vec<RawField> {
    fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn flat(fields: &[(&str, &str)]) -> Result<ParsedRequest, Rejection> {
    parse(ENTRY, &raw(fields))
}

fn payload(object: &Value) -> Result<ParsedRequest, Rejection> {
    flat(&[("payload", &object.to_string())])
}

fn accepted(result: Result<ParsedRequest, Rejection>) -> JobRequest {
    let parsed = result.expect("accepted");
    assert_eq!(parsed.warnings, Vec::<String>::new());
    parsed.request
}

fn refused(result: Result<ParsedRequest, Rejection>) -> Rejection {
    result.expect_err("refused")
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
}

#[test]
fn an_entry_without_known_fields_is_a_full_job_under_the_id_of_the_entry() {
    let expected = JobRequest::new(
        JobId::parse(ENTRY).expect("valid"),
        Mode::Full,
        "stream",
        at("2023-07-22T04:26:40Z"),
    );
    assert_eq!(accepted(flat(&[])), expected);
    assert_eq!(accepted(flat(&[("colour", "blue"), ("mode", "")])), expected);
    assert_eq!(accepted(payload(&json!({ "mode": null, "run_id": "", "size": [1, {"a": null}] }))), expected);
    assert_eq!(accepted(flat(&[("payload", ""), ("data", "{}")])), expected);
}

#[test]
fn flat_fields_and_a_payload_say_the_same() {
    let mut expected = JobRequest::new(
        JobId::parse("eod-2026-01-02").expect("valid"),
        Mode::MarketCap,
        "eod_import",
        at("2026-01-02T21:30:00Z"),
    );
    expected.force = true;
    expected.run_id = Some("4711".to_owned());
    expected.dedupe_key = Some("eod:2026-01-02".to_owned());
    expected.as_of = NaiveDate::from_ymd_opt(2026, 1, 2);
    expected.replay_of = Some("1690000000000-7".to_owned());

    let fields = [
        ("job_id", "eod-2026-01-02"),
        ("mode", "market_cap"),
        ("force", "1"),
        ("accept_churn", "false"),
        ("triggered_by", "eod_import"),
        ("requested_at", "2026-01-02T16:30:00-05:00"),
        ("run_id", "4711"),
        ("dedupe_key", "eod:2026-01-02"),
        ("as_of", "2026-01-02"),
        ("replay_of", "1690000000000-7"),
    ];
    assert_eq!(accepted(flat(&fields)), expected);
    for name in PAYLOAD_FIELDS {
        let object = json!({
            "job_id": "eod-2026-01-02", "mode": "market_cap", "force": true, "accept_churn": 0,
            "triggered_by": "eod_import", "requested_at": "2026-01-02T16:30:00-05:00", "run_id": 4711,
            "dedupe_key": "eod:2026-01-02", "as_of": "2026-01-02", "replay_of": "1690000000000-7",
        });
        assert_eq!(accepted(flat(&[(name, &object.to_string())])), expected, "{name}");
    }
}

#[test]
fn a_payload_wins_over_flat_fields_one_by_one() {
    let request = accepted(flat(&[
        ("job_id", "flat"),
        ("mode", "no mode at all"),
        ("run_id", "flat"),
        ("data", r#"{"mode": "themes", "run_id": null}"#),
    ]));
    assert_eq!(request.job_id.as_str(), "flat");
    assert_eq!(request.mode, Mode::Themes);
    assert_eq!(request.run_id.as_deref(), Some("flat"));
}

#[test]
fn two_payloads_in_one_entry_are_refused() {
    let rejection = refused(flat(&[("job_id", "j"), ("data", "{}"), ("payload", "{}")]));
    assert_eq!(rejection.to_string(), "payload is one payload and data another: one entry has one");
    assert_eq!(rejection.reason, RejectReason::InvalidField);
    assert_eq!(rejection.job_id, JobId::parse("j"));
}

#[test]
fn a_payload_that_is_no_json_object_is_refused() {
    for text in ["{", "nonsense", r#"{"mode": "full"} {}"#, r#"{"n": 1e999}"#, r#"{"mode": "\ud800"}"#] {
        let rejection = refused(flat(&[("job_data", text)]));
        assert_eq!(rejection.reason, RejectReason::Unreadable, "{text}");
        assert_eq!(rejection.field.as_deref(), Some("job_data"));
        assert_eq!(rejection.job_id, None, "the payload may have named any id");
    }
    for text in ["null", "[]", "7", r#""{\"mode\": \"full\"}""#] {
        let rejection = refused(flat(&[("job_data", text)]));
        assert_eq!(rejection.reason, RejectReason::InvalidField, "{text}");
        assert_eq!(rejection.to_string(), "job_data holds no JSON object");
    }
}

#[test]
fn json_as_deep_as_the_entry_allows_is_refused_without_a_stack_overflow() {
    let deep = format!("{{\"x\": {}", "[".repeat(60_000));
    assert_eq!(refused(flat(&[("payload", &deep)])).reason, RejectReason::Unreadable);
    let closed = format!("{{\"x\": {}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(refused(flat(&[("payload", &closed)])).reason, RejectReason::Unreadable);
}

#[test]
fn booleans_have_four_spellings() {
    for (text, value) in [("true", true), ("1", true), ("false", false), ("0", false), ("", false)] {
        assert_eq!(accepted(flat(&[("force", text)])).force, value, "{text:?}");
        assert_eq!(accepted(payload(&json!({ "accept_churn": text }))).accept_churn, value, "{text:?}");
    }
    for (json, value) in [(json!(true), true), (json!(1), true), (json!(false), false), (json!(0), false)] {
        assert_eq!(accepted(payload(&json!({ "force": json }))).force, value, "{json}");
    }
    for text in ["True", "TRUE", "yes", "on", " true", "01", "2", "-1"] {
        assert_eq!(refused(flat(&[("force", text)])).field.as_deref(), Some("force"), "{text:?}");
    }
    for json in [json!(2), json!(1.0), json!([true]), json!({})] {
        assert_eq!(refused(payload(&json!({ "force": json }))).field.as_deref(), Some("force"), "{json}");
    }
    assert_eq!(
        refused(flat(&[("force", "yes")])).to_string(),
        "force is \"yes\", not one of true, false, 1, 0"
    );
}

#[test]
fn modes_are_spelled_in_lower_case() {
    for mode in Mode::ALL.iter().filter(|mode| **mode != Mode::Revert) {
        assert_eq!(accepted(flat(&[("mode", mode.as_str())])).mode, *mode);
    }
    assert_eq!(
        refused(flat(&[("mode", "Full")])).to_string(),
        "mode is \"Full\", not one of full, market_cap, ipos, delisted, themes, etfs"
    );
    assert_eq!(refused(payload(&json!({ "mode": true }))).to_string(), "mode is true, not a text");
}

#[test]
fn a_revert_names_its_job_and_nothing_else_does() {
    let request = accepted(flat(&[("mode", "revert"), ("revert_of", "job-1")]));
    assert_eq!((request.mode, request.revert_of), (Mode::Revert, JobId::parse("job-1")));

    assert_eq!(refused(flat(&[("mode", "revert")])).field.as_deref(), Some("revert_of"));
    assert_eq!(refused(flat(&[("revert_of", "job-1")])).field.as_deref(), Some("revert_of"));
    assert_eq!(
        refused(flat(&[("mode", "revert"), ("revert_of", "a b")])).field.as_deref(),
        Some("revert_of")
    );
    assert_eq!(
        Rejection::of_bare_revert(request.job_id).to_string(),
        "mode is \"revert\", which only the command `cache-sync revert` can ask for"
    );
}

#[test]
fn an_id_that_could_not_stand_in_a_key_is_refused_and_nobody_is_answered() {
    let too_long = "x".repeat(65);
    for text in ["a b", "a:b", "ä", "a\0", "*", too_long.as_str()] {
        let rejection = refused(flat(&[("job_id", text)]));
        assert_eq!((rejection.field.as_deref(), rejection.job_id), (Some("job_id"), None), "{text:?}");
    }
    assert_eq!(accepted(payload(&json!({ "job_id": 12345 }))).job_id.as_str(), "12345");
    assert!(payload(&json!({ "job_id": 1.5 })).is_err());
    assert!(payload(&json!({ "job_id": true })).is_err());
}

#[test]
fn a_refused_entry_answers_to_its_id_or_to_that_of_the_entry() {
    assert_eq!(refused(flat(&[("job_id", "j"), ("mode", "x")])).job_id, JobId::parse("j"));
    assert_eq!(refused(payload(&json!({ "job_id": "j", "mode": "x" }))).job_id, JobId::parse("j"));
    assert_eq!(refused(flat(&[("mode", "x")])).job_id, JobId::parse(ENTRY));
    assert_eq!(refused(flat(&[("job_id", "j"), ("payload", "{")])).job_id, JobId::parse("j"));
}

#[test]
fn texts_are_bounded_and_printable() {
    for (field, max) in [("run_id", 200), ("dedupe_key", 200), ("replay_of", 200), ("triggered_by", 50)] {
        assert!(flat(&[(field, &"é".repeat(max))]).is_ok(), "{field}");
        let too_long = refused(flat(&[(field, &"é".repeat(max + 1))]));
        assert_eq!(too_long.to_string(), format!("{field} has {} characters, more than {max}", max + 1));
        for text in ["a\0", "a\nb", "\u{1b}[2J", "\u{202e}txt", "\u{2028}", "\u{85}"] {
            let rejection = refused(flat(&[(field, text)]));
            assert_eq!(rejection.field.as_deref(), Some(field), "{text:?}");
            assert!(!rejection.problem.contains(text), "{rejection}");
        }
    }
    assert!(payload(&json!({ "run_id": "a\0" })).is_err());
}

#[test]
fn a_date_has_one_spelling() {
    assert_eq!(accepted(flat(&[("as_of", "2024-02-29")])).as_of, NaiveDate::from_ymd_opt(2024, 2, 29));
    for text in
        ["2026-02-29", "2026-1-2", "20260102", "02.01.2026", "today", "2026-01-02T00:00:00Z", "+2026-01-0"]
    {
        assert_eq!(
            refused(flat(&[("as_of", text)])).to_string(),
            format!("as_of is {text:?}, not a date like 2026-01-02")
        );
    }
}

#[test]
fn the_time_of_request_is_read_in_the_spellings_of_iso_8601() {
    for (text, time) in [
        ("2026-01-02T21:30:00Z", "2026-01-02T21:30:00Z"),
        ("2026-01-02T16:30:00.5-05:00", "2026-01-02T21:30:00.5Z"),
        ("2026-01-02T16:30:00-0500", "2026-01-02T21:30:00Z"),
        ("2026-01-02 22:30:00+01", "2026-01-02T21:30:00Z"),
        ("2026-01-02T21:30:00.123456789", "2026-01-02T21:30:00.123456Z"),
        ("2026-01-02 21:30:00", "2026-01-02T21:30:00Z"),
        ("2026-01-02T21:30", "2026-01-02T21:30:00Z"),
        ("2026-01-02", "2026-01-02T00:00:00Z"),
    ] {
        assert_eq!(accepted(flat(&[("requested_at", text)])).requested_at, at(time), "{text}");
    }
}

#[test]
fn an_unreadable_time_is_a_warning_and_the_time_of_the_entry_counts() {
    let too_long = "9".repeat(300);
    for text in
        ["yesterday", "1690000000", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "a\0\n", &too_long]
    {
        let parsed = flat(&[("requested_at", text)]).expect("accepted");
        assert_eq!(parsed.request.requested_at, at("2023-07-22T04:26:40Z"), "{text:?}");
        assert_eq!(parsed.warnings.len(), 1);
        assert!(parsed.warnings[0].starts_with("requested_at_unreadable: requested_at is \""));
        assert!(parsed.warnings[0].chars().count() < 200 && !parsed.warnings[0].contains(['\0', '\n']));
    }
    let parsed = payload(&json!({ "requested_at": {"$date": 1} })).expect("accepted");
    assert_eq!(
        parsed.warnings,
        [
            "requested_at_unreadable: requested_at is an object, not a single value; the time of the entry counts"
        ]
    );
    let parsed = parse(ENTRY, &[(b"requested_at".to_vec(), vec![0xff])]).expect("accepted");
    assert_eq!(parsed.warnings.len(), 1);
}

#[test]
fn an_entry_id_made_up_by_hand_does_no_harm() {
    assert_eq!(parse("1-1", &[]).expect("accepted").request.requested_at, at("1970-01-01T00:00:00.001Z"));
    let largest = parse("18446744073709551615-18446744073709551615", &[]).expect("accepted");
    assert_eq!(largest.request.requested_at, DateTime::UNIX_EPOCH);
    let rejection = parse("not an id", &[]).expect_err("no id for the job");
    assert_eq!((rejection.reason, rejection.job_id), (RejectReason::Unreadable, None));
}

#[test]
fn a_known_field_that_is_no_text_is_refused_by_name_and_an_unknown_one_ignored() {
    let rejection = parse(ENTRY, &[(b"run_id".to_vec(), vec![0xc3, 0x28])]).expect_err("no UTF-8");
    assert_eq!(rejection.to_string(), "run_id is no UTF-8 text");
    assert_eq!(rejection.reason, RejectReason::Unreadable);
    assert!(parse(ENTRY, &[(vec![0xff], vec![0xff]), (Vec::new(), Vec::new())]).is_ok());
}

#[test]
fn a_field_given_twice_must_say_the_same() {
    assert_eq!(accepted(flat(&[("mode", "etfs"), ("mode", ""), ("mode", "etfs")])).mode, Mode::Etfs);
    let rejection = refused(flat(&[("mode", "etfs"), ("mode", "full")]));
    assert_eq!(rejection.to_string(), "mode is given twice, and not the same both times");

    let twice = r#"{"force": true, "force": false}"#;
    assert_eq!(refused(flat(&[("payload", twice)])).field.as_deref(), Some("force"));
    let with_null = r#"{"force": null, "x": 1, "x": 2, "force": true}"#;
    assert!(accepted(flat(&[("payload", with_null)])).force);
}

#[test]
fn the_bound_on_size_counts_names_and_values() {
    let of_bytes = |bytes: usize| raw(&[("job_id", "j"), ("note", &"x".repeat(bytes - 11))]);
    assert!(parse(ENTRY, &of_bytes(MAX_ENTRY_BYTES)).is_ok());

    let rejection = parse(ENTRY, &of_bytes(MAX_ENTRY_BYTES + 1)).expect_err("one byte too many");
    assert_eq!((rejection.reason, rejection.field.as_deref()), (RejectReason::TooLarge, None));
    assert_eq!(rejection.job_id, JobId::parse("j"));

    let countless = vec![(Vec::new(), Vec::new()); MAX_ENTRY_FIELDS + 1];
    assert_eq!(parse(ENTRY, &countless).expect_err("countless").reason, RejectReason::TooLarge);
}

#[test]
fn what_a_sender_would_only_hear_from_the_dead_letters_is_found_before_sending() {
    let mut request = JobRequest::new(JobId::fresh(), Mode::Full, "cli", at("2026-01-02T21:30:00Z"));
    assert_eq!(check(&request), Ok(()));
    request.run_id = Some("x".repeat(201));
    assert_eq!(check(&request).expect_err("too long").field.as_deref(), Some("run_id"));
}

/// A file of `tests/corpus/entries`, whose README tells the format: the entry, and the line that says what becomes of it.
fn read_scenario(text: &str) -> (Vec<RawField>, String) {
    let mut fields: Vec<RawField> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').expect("a word and more");
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "#" => {}
            "field" => fields.push((unescaped(first), unescaped(second))),
            "repeat" => {
                let value = &mut fields.last_mut().expect("a field above").1;
                value.extend(unescaped(second).repeat(first.parse().expect("a count")));
            }
            "accepted" | "warned" | "refused" => return (fields, line.to_owned()),
            _ => panic!("unknown line {line:?}"),
        }
    }
    panic!("the entry has no outcome");
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next().expect("something after the backslash") {
            b'n' => bytes.push(b'\n'),
            b'x' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits") as char);
                bytes.push(u8::from_str_radix(&String::from_iter(digits), 16).expect("two digits"));
            }
            other => bytes.push(other),
        }
    }
    bytes
}

/// What becomes of an entry, with those fields of its request that `expected` names too.
fn outcome(fields: &[RawField], expected: &str) -> String {
    match parse(ENTRY, fields) {
        Ok(parsed) => {
            let word = if parsed.warnings.is_empty() { "accepted" } else { "warned" };
            let named = to_fields(&parsed.request).into_iter().map(|(name, value)| format!("{name}={value}"));
            let named: Vec<_> = named.collect();
            let mentioned = expected.split(' ').skip(1).filter(|field| named.iter().any(|own| own == field));
            [word].into_iter().chain(mentioned).collect::<Vec<_>>().join(" ")
        }
        Err(rejection) => {
            let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let field = or_dash(rejection.field.as_deref());
            format!(
                "refused {} {field} {}",
                rejection.reason,
                or_dash(rejection.job_id.as_ref().map(JobId::as_str))
            )
        }
    }
}

#[test]
fn the_entries_of_the_corpus_end_as_their_files_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/entries");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("the corpus") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let (fields, expected) = read_scenario(&std::fs::read_to_string(&path).expect("a text"));
            assert_eq!(outcome(&fields, &expected), expected, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 40, "only {seen} entries were found");
}

/// Texts of up to `max` characters that a field can hold.
fn printable(max: usize) -> impl Strategy<Value = String> {
    let or_dot = |c| if is_printable(c) { c } else { '.' };
    proptest::collection::vec(any::<char>(), 1..=max)
        .prop_map(move |chars| chars.into_iter().map(or_dot).collect())
}

prop_compose! {
    fn requests()(
        job_id in "[A-Za-z0-9_.-]{1,64}",
        mode in proptest::sample::select(Mode::ALL),
        (force, accept_churn) in any::<(bool, bool)>(),
        triggered_by in printable(MAX_TRIGGERED_BY_CHARS),
        requested_at_us in 0..253_402_300_799_999_999_i64,
        run_id in proptest::option::of(printable(MAX_TEXT_CHARS)),
        dedupe_key in proptest::option::of(printable(MAX_TEXT_CHARS)),
        as_of_days in proptest::option::of(0..3_652_058_i32),
        revert_of in "[A-Za-z0-9_.-]{1,64}",
        replay_of in proptest::option::of(printable(MAX_TEXT_CHARS)),
    ) -> JobRequest {
        JobRequest {
            job_id: JobId::parse(&job_id).expect("valid"),
            mode, force, accept_churn, triggered_by,
            requested_at: DateTime::from_timestamp_micros(requested_at_us).expect("in range"),
            run_id, dedupe_key,
            as_of: as_of_days.and_then(|days| NaiveDate::from_num_days_from_ce_opt(days + 1)),
            revert_of: (mode == Mode::Revert).then(|| JobId::parse(&revert_of).expect("valid")),
            replay_of,
        }
    }
}

/// Values that come close to what fields and payloads hold, and any bytes.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let close = proptest::sample::select(vec![
        "",
        "true",
        "1",
        "full",
        "revert",
        "2026-01-02",
        "2026-01-02T21:30:00",
        "2026-06-30T23:59:60Z",
        "null",
        "{}",
        "[",
        r#"{"mode": 1}"#,
        r#"{"job_id": "j", "job_id": 7}"#,
        r#"{"force": 1, "as_of": "2026-01-02"}"#,
        r#"{"requested_at": -1, "run_id": 18446744073709551615}"#,
        "job-1",
        "-",
        "\u{0}",
    ]);
    prop_oneof![
        close.prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40)
    ]
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "payload",
        "job_data",
        "data",
        "job_id",
        "mode",
        "force",
        "accept_churn",
        "triggered_by",
        "requested_at",
        "run_id",
        "dedupe_key",
        "as_of",
        "revert_of",
        "replay_of",
    ]);
    prop_oneof![
        9 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..10),
    ]
}

fn written(request: &JobRequest) -> Vec<RawField> {
    let fields = to_fields(request);
    fields.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value.into_bytes())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_write_is_read_back_as_it_was(request in requests()) {
        let parsed = parse(ENTRY, &written(&request));
        prop_assert_eq!(parsed, Ok(ParsedRequest { request, warnings: Vec::new() }));
    }

    #[test]
    fn whatever_is_accepted_can_be_written_and_read_again(
        fields in proptest::collection::vec((names(), values()), 0..6),
    ) {
        if let Ok(parsed) = parse(ENTRY, &fields) {
            let again = parse(ENTRY, &written(&parsed.request)).expect("what was accepted once is accepted again");
            prop_assert_eq!(again.request, parsed.request);
        }
    }

    #[test]
    fn any_bytes_are_a_request_or_a_rejection_fit_for_a_log(
        entry_id in ".{0,30}",
        fields in proptest::collection::vec((names(), values()), 0..6),
    ) {
        if let Err(rejection) = parse(&entry_id, &fields) {
            let sentence = rejection.to_string();
            prop_assert!(!sentence.chars().any(char::is_control) && sentence.len() < 1000, "{:?}", sentence);
        }
        let letter = crate::wire::dead_letter::Original::of(&fields);
        prop_assert_eq!(letter.fields, fields);
    }

    #[test]
    fn any_json_in_a_payload_does_no_harm(text in r#"[\[\]{}",:0-9a-z\\u.eE+-]{0,200}"#) {
        let _ = flat(&[("payload", &text)]);
    }

    #[test]
    fn any_fields_are_a_dead_letter_or_a_sentence(
        fields in proptest::collection::vec((names(), values()), 0..12),
    ) {
        let _ = crate::wire::dead_letter::DeadLetter::from_fields(&fields);
    }
}
