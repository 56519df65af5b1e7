#!/usr/bin/env bash
# rust_decimal reads a Postgres numeric with more than 28 digits without an error, rounded; a tiny positive one as zero.
#
# Version: crate rust_decimal 1.43.0, feature db-tokio-postgres (FromSql for NUMERIC).
# Expected: an error, as for a numeric that is too large. A number that does not fit is refused, not changed.
# Seen: 0.0000000000000000000000000000000000000001 is read as 0, and 12345678901234567890.123456789012345 loses its
# last six digits. Both say Ok.
# Why it matters: "price > 0" in SQL and in Rust disagree about the same row, and sums differ from the database's.
# Needs: cargo. The bytes below are the wire format of numeric: digits in base 10,000, weight, sign, scale.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'END'
[package]
name = "numeric"
version = "0.0.0"
edition = "2021"

[dependencies]
rust_decimal = { version = "=1.43.0", features = ["db-tokio-postgres"] }
postgres-types = "0.2"

[workspace]
END
cat >"$folder/src/main.rs" <<'END'
use postgres_types::{FromSql, Type};
use rust_decimal::Decimal;

fn numeric(weight: i16, scale: u16, digits: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((digits.len() as u16).to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(0u16.to_be_bytes());
    bytes.extend(scale.to_be_bytes());
    digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
    bytes
}

fn main() {
    let cases = [
        ("3.10", numeric(0, 2, &[3, 1000])),
        ("1e-40", numeric(-10, 40, &[1])),
        ("12345678901234567890.123456789012345", numeric(4, 15, &[1234, 5678, 9012, 3456, 7890, 1234, 5678, 9012, 3450])),
        ("79228162514264337593543950336", numeric(7, 0, &[7, 9228, 1625, 1426, 4337, 5935, 4395, 336])),
    ];
    for (text, bytes) in cases {
        match Decimal::from_sql(&Type::NUMERIC, &bytes) {
            Ok(read) => println!("{text} is read as {}", read.normalize()),
            Err(_) => println!("{text} is refused"),
        }
    }
}
END
(cd "$folder" && cargo run --quiet) >"$folder/seen"
cat >"$folder/expected" <<'END'
3.10 is read as 3.1
1e-40 is read as 0
12345678901234567890.123456789012345 is read as 12345678901234567890.123456789
79228162514264337593543950336 is refused
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" && echo "As found: digits beyond the 28th are dropped without a word."
