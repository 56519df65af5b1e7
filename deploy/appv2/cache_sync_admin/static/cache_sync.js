// The cache sync page: a button, a bar that asks how far the job is, and the job's events as they happen.
//
// Texts from elsewhere go into the page as text, never as HTML. The bar and the events are two ways on purpose: events
// are quick, but may be silenced (sync_settings.enable_notifications); the status is always there to be asked for.
"use strict";

const POLL_MS = 1000;
const MOST_EVENTS = 200;
const EVENTS = [
  "cache_sync_triggered", "cache_sync_started", "cache_sync_progress", "universe_updated", "ipo_assignment",
  "delisting_cleanup", "cache_sync_completed", "cache_sync_error",
];
const page = document.getElementById("cache-sync");
const at = (id) => document.getElementById(id);
const form = at("start");
const number = new Intl.NumberFormat("en-US");
let follows = null;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("go").disabled = true;
  const asked = { mode: form.mode.value, force: form.force.checked };
  try {
    const { job_id } = await call("POST", `${form.door.value}/jobs`, asked);
    follow(form.door.value, job_id);
  } catch (error) {
    notice(error.message);
    at("go").disabled = false;
  }
});

at("cancel").addEventListener("click", async () => {
  at("cancel").disabled = true;
  try {
    await call("DELETE", jobPath(follows));
  } catch (error) {
    notice(error.message);
    at("cancel").disabled = false;
  }
});

form.door.addEventListener("change", listRecent);

// Asks the server; an answer that is an error is thrown with its sentence.
async function call(method, path, body) {
  const headers = { "X-CSRF-Token": page.dataset.token, "Content-Type": "application/json" };
  const answer = await fetch(page.dataset.root + path, { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw Object.assign(new Error(told.error || `the server answered ${answer.status}`), { status: answer.status });
  }
  notice("");
  return told;
}

function jobPath({ door, jobId }) {
  return `${door}/jobs/${encodeURIComponent(jobId)}`;
}

function follow(door, jobId) {
  stop();
  follows = { door, jobId, isOver: false };
  // So that a page that is loaded again goes on with the job.
  history.replaceState(null, "", `#${door}/${jobId}`);
  at("job").hidden = false;
  at("counts").hidden = true;
  at("cancel").hidden = false;
  at("cancel").disabled = false;
  at("job-id").textContent = jobId;
  at("events").replaceChildren();
  show({ status: "queued", percentage: 0, completed: 0, total_items: 0, current_task: "", error: "" });
  follows.source = new EventSource(`${page.dataset.root}${jobPath(follows)}/events`);
  for (const name of EVENTS) {
    follows.source.addEventListener(name, (event) => hear(name, JSON.parse(event.data)));
  }
  // It comes back by itself, behind the last event it has seen; not when there is nothing more to come.
  const mine = follows;
  follows.source.addEventListener("error", () => mine.isOver && mine.source.close());
  follows.timer = setInterval(poll, POLL_MS);
}

function stop() {
  if (follows) {
    clearInterval(follows.timer);
    follows.source.close();
  }
}

// The bar: what the status hash says.
async function poll() {
  const asked = follows;
  try {
    const status = await call("GET", jobPath(asked));
    if (asked === follows && !asked.isOver) {
      show(status);
      if (["completed", "failed", "cancelled"].includes(status.status)) {
        end();
      }
    }
  } catch (error) {
    // No worker has read a new job yet: that is queued, not wrong.
    if (error.status !== 404) {
      notice(error.message);
    }
  }
}

function show({ status, percentage, completed, total_items, current_task, error }) {
  at("state").textContent = status;
  at("state").className = status;
  at("bar").value = percentage;
  const where = total_items ? `${percentage} %, ${completed} of ${total_items} sub-tasks done` : "";
  at("where").textContent = error || (status === "queued" ? "Waiting for a worker" : [where, words(current_task)].filter(Boolean).join(": "));
}

// The events: what is told of the job.
function hear(name, envelope) {
  const said = envelope.payload;
  if (name === "cache_sync_progress") {
    show({ ...said, status: "running", error: "" });
  }
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = envelope.timestamp;
  time.textContent = new Date(envelope.timestamp).toLocaleTimeString("sv-SE");
  const text = document.createElement("span");
  text.textContent = sentence(name, said, envelope);
  line.append(time, text);
  at("events").prepend(line);
  while (at("events").children.length > MOST_EVENTS) {
    at("events").lastChild.remove();
  }
  if (name === "cache_sync_completed") {
    finish(said);
  }
}

function sentence(name, said, envelope) {
  switch (name) {
    case "cache_sync_triggered": return `Asked for by ${said.triggered_by}`;
    case "cache_sync_started": return `A worker began: ${said.total_items} sub-tasks`;
    case "cache_sync_progress": return `${words(said.current_task)} done, ${said.percentage} %`;
    case "universe_updated": return `${said.universe}: ${number.format(said.added)} joined, ${number.format(said.removed)} left, ${number.format(said.count)} members now`;
    case "ipo_assignment": return `${said.universe}: ${said.symbol || `${said.count} new listings`} joined`;
    case "delisting_cleanup": return `${number.format(said.removed_count)} delisted: ${said.symbols.slice(0, 10).join(", ")}`;
    case "cache_sync_error": return `${envelope.severity}: ${envelope.message}`;
    case "cache_sync_completed": return said.status === "completed" ? "Completed" : `Failed: ${said.error}`;
    default: return name;
  }
}

function words(task) {
  return (task || "").replaceAll("_", " ");
}

// The end, with its counts.
function finish(said) {
  const status = said.error === "cancelled" ? "cancelled" : said.status;
  show({ status, percentage: status === "completed" ? 100 : at("bar").value, completed: 0, total_items: 0, current_task: "", error: said.error });
  const held = said.held_universes;
  at("where").textContent = said.error || (held.length ? `Held until somebody has looked: ${held.join(", ")}` : said.digest);
  at("changes").textContent = number.format(said.total_changes);
  at("universes").textContent = number.format(said.universes_updated.length);
  at("held").textContent = held.length || "none";
  at("duration").textContent = said.duration_seconds === undefined ? "" : `${said.duration_seconds.toFixed(1)} s`;
  at("counts").hidden = false;
  end();
}

// Nothing more is to come, but for events that are on their way when the status was quicker.
function end() {
  follows.isOver = true;
  clearInterval(follows.timer);
  at("cancel").hidden = true;
  at("go").disabled = false;
  if (!at("counts").hidden) {
    follows.source.close();
  }
  listRecent();
}

async function listRecent() {
  try {
    const { jobs } = await call("GET", `${form.door.value}/jobs`);
    at("recent").replaceChildren(...jobs.map(row));
  } catch (error) {
    notice(error.message);
  }
}

function row(job) {
  const line = document.createElement("tr");
  const began = job.start_time ? new Date(job.start_time).toLocaleString("sv-SE") : "";
  const took = job.duration_seconds === null ? "" : `${job.duration_seconds.toFixed(1)} s`;
  for (const text of [job.job_id, words(job.mode), job.status, began, took]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  line.children[2].className = job.status;
  return line;
}

function notice(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

const [door, jobId] = decodeURIComponent(location.hash.slice(1)).split("/");
if (jobId && [...form.door.options].some((option) => option.value === door)) {
  form.door.value = door;
  follow(door, jobId);
}
listRecent();
