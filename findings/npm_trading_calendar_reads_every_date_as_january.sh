#!/usr/bin/env bash
# The npm package trading-calendar answers for January whatever month a date given as text has.
#
# Version: npm package trading-calendar 1.1.1, exchange new-york, in its supported year 2022.
# Expected: isTradingDay("2022-07-04") is false, since its own calendar lists 4 July, and so is a Sunday in July.
# Seen: both are true; its format reads the middle of yyyy-mm-dd as minutes and leaves the month at January. The same days
# given as a DateTime of luxon are answered rightly.
# Why it matters: a scheduler built on it runs on Independence Day, on Thanksgiving and on weekends.
# Needs: npm.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund trading-calendar@1.1.1 >/dev/null
cat >look.cjs <<'END'
const newYork = require("trading-calendar").exchange("new-york");
const { DateTime } = require("luxon");
for (const day of ["2022-01-17", "2022-07-03", "2022-07-04", "2022-11-24"]) {
  console.log(`${day} trading day? as text ${newYork.isTradingDay(day)}, as DateTime ${newYork.isTradingDay(DateTime.fromISO(day))}`);
}
END
node look.cjs >seen
cat >expected <<'END'
2022-01-17 trading day? as text false, as DateTime false
2022-07-03 trading day? as text true, as DateTime false
2022-07-04 trading day? as text true, as DateTime false
2022-11-24 trading day? as text true, as DateTime false
END
cat seen
diff expected seen && echo "As found: every date given as text counts as one of January."
