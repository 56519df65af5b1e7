#!/usr/bin/env bash
# The crate trading-calendar observes an NYSE holiday that falls on a Saturday on the Monday after it.
#
# Version: crate trading-calendar 0.2.3.
# Expected: the exchange's rule. A holiday on a Saturday is kept on the Friday before (2021-12-24 for Christmas,
# 2027-06-18 for Juneteenth); New Year's Day on a Saturday is not made up for, so 2022-01-03 was an ordinary session.
# Seen: 2021-12-24 and 2027-06-18 are trading days; 2021-12-27, 2022-01-03 and 2027-06-21 are not.
# Why it matters: two wrong sessions for every such holiday, in every count of sessions.
# Needs: cargo.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'END'
[package]
name = "calendar"
version = "0.0.0"
edition = "2021"

[dependencies]
trading-calendar = "=0.2.3"
chrono = "0.4"

[workspace]
END
cat >"$folder/src/main.rs" <<'END'
use chrono::NaiveDate;
use trading_calendar::{Market, TradingCalendar};

fn main() {
    let nyse = TradingCalendar::new(Market::NYSE).unwrap();
    for text in ["2021-12-24", "2021-12-27", "2022-01-03", "2025-12-25", "2027-06-18", "2027-06-21"] {
        let day: NaiveDate = text.parse().unwrap();
        println!("{text} trading day? {}", nyse.is_trading_day(day).unwrap());
    }
}
END
(cd "$folder" && cargo run --quiet) >"$folder/seen"
cat >"$folder/expected" <<'END'
2021-12-24 trading day? true
2021-12-27 trading day? false
2022-01-03 trading day? false
2025-12-25 trading day? false
2027-06-18 trading day? true
2027-06-21 trading day? false
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" && echo "As found: Saturday holidays are kept on Monday."
