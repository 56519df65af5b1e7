#!/usr/bin/env bash
# Three published NYSE calendars do not know days on which the exchange was closed at short notice.
#
# Versions: crates nyse-holiday-cal 0.2.5 and usec 0.3.6, npm package nyse-holidays 1.2.0.
# Expected: the exchange was closed on 2025-01-09 (day of mourning), so each calendar says so. nyse-holiday-cal 0.2.5
# was published a year after that day, and states that it follows the exchange's own list.
# Seen: all three call 2025-01-09 a trading day. usec also lacks 2012-10-29/30 and 2018-12-05, and so does
# nyse-holidays; usec knows 2001-09-11 but not the three days after it.
# Why it matters: a job that waits for the prices of such a day waits in vain, and a gap of one session is counted as two.
# Needs: cargo, npm.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'END'
[package]
name = "calendars"
version = "0.0.0"
edition = "2021"

[dependencies]
nyse-holiday-cal = "=0.2.5"
usec = "=0.3.6"
chrono = "0.4"

[workspace]
END
cat >"$folder/src/main.rs" <<'END'
use chrono::NaiveDate;
use nyse_holiday_cal::HolidayCal;

fn main() {
    let mut exchange = usec::calendar::UsExchangeCalendar::with_default_range(false);
    exchange.populate_cal(Some(2001), Some(2025));
    let usec = exchange.get_cal();
    for text in ["2001-09-11", "2001-09-12", "2012-10-29", "2018-12-05", "2025-01-09", "2025-01-20"] {
        let day: NaiveDate = text.parse().unwrap();
        let listed = match day.is_holiday() {
            Ok(closed) => closed.to_string(),
            Err(_) => "out of its range".to_owned(),
        };
        println!("{text} closed? nyse-holiday-cal {listed}, usec {}", usec.is_holiday(day));
    }
}
END
(cd "$folder" && cargo run --quiet) >"$folder/seen"

(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund nyse-holidays@1.2.0 >/dev/null)
cat >"$folder/look.cjs" <<'END'
const { getHolidays } = require("nyse-holidays");
for (const day of ["2012-10-29", "2018-12-05", "2025-01-09", "2025-01-20"]) {
  const closed = getHolidays(Number(day.slice(0, 4))).some((holiday) => holiday.dateString === day);
  console.log(`${day} closed? nyse-holidays ${closed}`);
}
END
node "$folder/look.cjs" >>"$folder/seen"

cat >"$folder/expected" <<'END'
2001-09-11 closed? nyse-holiday-cal out of its range, usec true
2001-09-12 closed? nyse-holiday-cal out of its range, usec false
2012-10-29 closed? nyse-holiday-cal out of its range, usec false
2018-12-05 closed? nyse-holiday-cal out of its range, usec false
2025-01-09 closed? nyse-holiday-cal false, usec false
2025-01-20 closed? nyse-holiday-cal true, usec true
2012-10-29 closed? nyse-holidays false
2018-12-05 closed? nyse-holidays false
2025-01-09 closed? nyse-holidays false
2025-01-20 closed? nyse-holidays true
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" && echo "As found: days closed at short notice are missing."
