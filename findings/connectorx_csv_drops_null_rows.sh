#!/usr/bin/env bash
# ConnectorX loses rows of a one-column query when it reads them by its csv protocol and the value is null.
#
# Versions: PyPI connectorx 0.4.6 with polars 2.1.0, on Postgres 15 or newer.
# Expected: four rows in, four rows out, whichever of its three protocols is chosen; the documentation presents the
# protocols as a matter of speed.
# Seen: binary and cursor return four rows, csv returns two: a null alone on its line is an empty line, which is skipped.
# With a second column the rows are there. For a text column an empty string becomes null as well.
# Why it matters: caps or closes read that way move up into the places of the missing ones without an error.
# Needs: python3 with venv, the Postgres server programs. Run as root it starts the server as the user postgres.
set -euo pipefail

folder=$(mktemp -d)
bin=$(find /usr/lib/postgresql/*/bin /usr/bin -maxdepth 1 -name initdb 2>/dev/null | sort -V | tail -n 1 | xargs dirname)
as_user() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$1"; else sh -c "$1"; fi; }
stop() {
  as_user "'$bin/pg_ctl' -D '$folder/data' -m immediate stop" >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
port=$((20000 + RANDOM % 20000))
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
as_user "'$bin/initdb' -D '$folder/data' -A trust -U postgres" >/dev/null
as_user "'$bin/pg_ctl' -D '$folder/data' -w -l '$folder/log' -o \"-p $port -k '$folder' -c listen_addresses=127.0.0.1\" start" >/dev/null

python3 -m venv "$folder/python"
"$folder/python/bin/pip" --quiet install connectorx==0.4.6 polars==2.1.0 pyarrow==26.0.1
PGTZ=UTC "$folder/python/bin/python" - "$port" >"$folder/seen" <<'END'
import sys

import connectorx

url = f"postgresql://postgres@127.0.0.1:{sys.argv[1]}/postgres"
rows = "from (values (1, null::numeric), (2, 1.5), (3, null), (4, 2.5)) market(place, cap) order by place"
for protocol in ("binary", "cursor", "csv"):
    one = connectorx.read_sql(url, f"select cap {rows}", return_type="polars", protocol=protocol)
    two = connectorx.read_sql(url, f"select place, cap {rows}", return_type="polars", protocol=protocol)
    print(f"{protocol}: one column {len(one)} rows, two columns {len(two)} rows")
END
cat >"$folder/expected" <<'END'
binary: one column 4 rows, two columns 4 rows
cursor: one column 4 rows, two columns 4 rows
csv: one column 2 rows, two columns 4 rows
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" && echo "As found: rows are lost without an error."
