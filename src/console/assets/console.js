// What moves on the pages: live parts, tables that can be sorted, the sliders of the guards. Without it all can be read
// and done; the server sends the HTML that is shown, so nothing is made of data here.
"use strict";

const said = (text) => {
  const place = document.getElementById("said");
  if (place && place.textContent !== text) place.textContent = text;
};

let source;

// Keeps the part up to date that asks for it; the connection comes back by itself, with the last state it has.
const follow = () => {
  source?.close();
  const region = document.querySelector("[data-live]");
  if (!region) return;
  const address = new URL(region.dataset.live, location.href);
  address.searchParams.set("seen", region.dataset.seen ?? "");
  source = new EventSource(address);
  const own = source;
  const show = (event) => {
    const open = [...region.querySelectorAll("details")].map((details) => details.open);
    region.innerHTML = event.data;
    region.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? details.open; });
    region.dataset.seen = event.lastEventId;
    const state = region.querySelector(".badge")?.textContent ?? "";
    const task = region.querySelector(".progress")?.textContent ?? "";
    said(`${state} ${task}`.trim());
  };
  own.addEventListener("open", () => region.querySelector(".stale")?.remove());
  own.addEventListener("state", show);
  own.addEventListener("ended", (event) => { show(event); refresh(); });
  own.addEventListener("error", () => {
    if (!region.querySelector(".stale")) {
      const line = document.createElement("p");
      line.className = "stale";
      line.textContent = "The connection is lost; this is how it stood. It is tried again.";
      region.append(line);
    }
    // The server answered with something else than events: it is busy, or the session has ended.
    if (own.readyState === EventSource.CLOSED) setTimeout(refresh, 2000);
  });
};

let again;

// Fetches the page anew and puts its content in place, so that whatever changed with the end of a job is shown.
const refresh = async () => {
  clearTimeout(again);
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected && answer.url.includes("/sign-in")) { location.assign(answer.url); return; }
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    document.getElementById("main").replaceChildren(...fresh.childNodes);
    start();
  } catch {
    again = setTimeout(refresh, 3000);
  }
};

const value = (row, column) => {
  const cell = row.children[column];
  const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
  const number = Number(text.replaceAll(",", ""));
  return text !== "" && !Number.isNaN(number) ? number : text;
};

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
};

// Sorts the rows of each group by a column; a second click turns the order round.
const sort = (table, heading, column) => {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    rows.sort((a, b) => compare(value(a, column), value(b, column)) * (descending ? -1 : 1));
    body.append(...rows);
  }
};

const makeSortable = (table) => {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading, column));
    heading.append(button);
  });
};

// Says which nights another bound would have held, as the server says it for a form.
const makeSlider = (slider) => {
  const card = slider.closest("[data-guard]");
  const bars = [...card.querySelectorAll(".nights .bar")];
  const line = card.querySelector(".nights .bound");
  const high = Number(card.querySelector(".nights").dataset.high);
  card.querySelectorAll("[data-only-without-script]").forEach((button) => { button.hidden = true; });
  slider.addEventListener("input", () => {
    const bound = Number(slider.value);
    const held = bars.filter((bar) => Number(bar.dataset.value) > bound);
    bars.forEach((bar) => bar.classList.toggle("over", Number(bar.dataset.value) > bound));
    const y = Math.max(1, 90 - (bound / high) * 84);
    line.setAttribute("y1", y);
    line.setAttribute("y2", y);
    card.querySelector("output").textContent = `${bound} %`;
    const would = card.querySelector("[data-would]");
    const badge = document.createElement("span");
    badge.className = held.length ? "badge attention" : "badge good";
    badge.textContent = held.length ? `${held.length} ${held.length === 1 ? "night" : "nights"}` : "no night";
    const dates = held.map((bar) => bar.querySelector("title").textContent);
    const more = dates.length > 8 ? ` and ${dates.length - 8} more` : "";
    would.replaceChildren(badge, held.length ? ` would have been held: ${dates.slice(0, 8).join(", ")}${more}` : " would have been held.");
  });
};

const start = () => {
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  document.querySelectorAll("[data-slider]").forEach(makeSlider);
  follow();
};

start();
