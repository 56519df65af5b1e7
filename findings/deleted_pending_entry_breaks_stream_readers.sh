#!/usr/bin/env bash
# Two Redis clients can't read a consumer's pending entries when one of them was deleted from the stream.
#
# Versions: crate fred 10.1.0, npm package redis 6.3.1, on a redis-server 7.0 or newer.
# Expected: XREADGROUP with the id 0 lists what this consumer has not acknowledged. For an entry that was deleted
# meanwhile the server sends its id and a nil. A client shows that entry as empty, and the others as they are; the
# crate redis, redis-py and ioredis do.
# Seen: fred fails with "Cannot convert to map.", node-redis with a TypeError on null, and neither returns the two entries
# that are still there. fred's xautoclaim_values also drops the server's list of deleted ids.
# Why it matters: a worker that looks for its pending jobs after a restart finds none, until somebody acknowledges the
# deleted entry by hand. Trimming a stream (XADD MAXLEN) deletes pending entries as well.
# Needs: cargo, npm, redis-server, redis-cli.
set -euo pipefail

folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
trap 'redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" --daemonize yes >/dev/null
until redis-cli -p "$port" ping >/dev/null 2>&1; do :; done

prepare() {
  redis-cli -p "$port" flushall >/dev/null
  redis-cli -p "$port" xgroup create jobs workers 0 mkstream >/dev/null
  for id in 1-0 2-0 3-0; do redis-cli -p "$port" xadd jobs "$id" name "job $id" >/dev/null; done
  redis-cli -p "$port" xreadgroup group workers me streams jobs '>' >/dev/null
}

mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'END'
[package]
name = "reader"
version = "0.0.0"
edition = "2021"

[dependencies]
fred = { version = "=10.1.0", features = ["i-streams"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

[workspace]
END
cat >"$folder/src/main.rs" <<'END'
use fred::prelude::*;
use std::collections::HashMap;

type Fields = HashMap<String, String>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Builder::from_config(Config::from_url(&std::env::args().nth(1).unwrap())?).build()?;
    client.init().await?;
    let read: Result<HashMap<String, Vec<(String, Fields)>>, Error> =
        client.xreadgroup_map("workers", "me", None, None, false, "jobs", "0").await;
    match read {
        Ok(streams) => println!("fred: {} pending entries", streams["jobs"].len()),
        Err(error) => println!("fred: {}", error.details()),
    }
    Ok(())
}
END
(cd "$folder" && cargo build --quiet)
(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund redis@6.3.1 >/dev/null)
cat >"$folder/look.cjs" <<'END'
const { createClient } = require("redis");
(async () => {
  const client = createClient({ url: process.argv[2] });
  await client.connect();
  try {
    const streams = await client.xReadGroup("workers", "me", [{ key: "jobs", id: "0" }]);
    console.log(`node-redis: ${streams[0].messages.length} pending entries`);
  } catch (error) {
    console.log(`node-redis: ${error.name}`);
  }
  await client.close();
})();
END

look() {
  "$folder/target/debug/reader" "redis://127.0.0.1:$port"
  node "$folder/look.cjs" "redis://127.0.0.1:$port"
}

{
  prepare
  echo "none deleted:"
  look
  redis-cli -p "$port" xdel jobs 2-0 >/dev/null
  echo "one deleted:"
  look
} >"$folder/seen"
cat >"$folder/expected" <<'END'
none deleted:
fred: 3 pending entries
node-redis: 3 pending entries
one deleted:
fred: Cannot convert to map.
node-redis: TypeError
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" && echo "As found: one deleted entry hides the others."
