"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.querySelector("main");
const make = (tag, text = "", name = "") => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (name) node.className = name;
  return node;
};
const percent = (rate) => (rate >= 0.0995 ? (100 * rate).toFixed(0) : (100 * rate).toFixed(1)) + " %";
const range = (each) => each.runs ? `${percent(each.interval.low)} to ${percent(each.interval.high)}` : "";
const columns = [
  ["test", (each) => each.id],
  ["is", (each) => each.verdict],
  ["failed", (each) => each.runs ? `${each.failures} of ${each.runs}` : "", (each) => each.runs ? each.failures / each.runs : 0],
  ["rate, 95 %", range, (each) => each.interval.low],
  ["min lost a week", (each) => each.minutes_lost_a_week ?? "", (each) => each.minutes_lost_a_week ?? -1],
  ["cause", (each) => each.cause ?? ""],
];
let sorted = 4, down = true, wanted = "", most = 500;

function table() {
  const warnings = [];
  if (data.scan && !data.scan.complete) warnings.push("The history could not be read whole, so nothing rests on it: " + data.scan.problems.join("; "));
  if (data.lost_shards.length) warnings.push(`Shards that handed in nothing: ${data.lost_shards.join(", ")}. What they would have seen is not known.`);
  const nodes = [...warnings, ...data.problems].map((text) => make("p", text, "warning"));
  const search = make("input");
  search.type = "search";
  search.placeholder = "Filter by name, verdict, cause";
  search.setAttribute("aria-label", search.placeholder);
  search.value = wanted;
  const list = make("table"), head = make("tr"), body = make("tbody");
  const thead = make("thead"), more = make("button");
  columns.forEach(([name], index) => {
    const cell = make("th"), button = make("button", name);
    button.type = "button";
    button.addEventListener("click", () => { down = sorted === index ? !down : index > 1; sorted = index; fill(); });
    cell.append(button);
    head.append(cell);
  });
  const fill = () => {
    const [, shown, value = shown] = columns[sorted];
    const words = wanted.toLowerCase().split(/\s+/);
    const order = data.tests.map((each, index) => [value(each), index])
      .filter(([, index]) => { const each = data.tests[index], text = `${each.id} ${each.verdict} ${each.cause ?? ""}`.toLowerCase(); return words.every((word) => text.includes(word)); })
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    [...head.children].forEach((cell, index) => cell.setAttribute("aria-sort", index !== sorted ? "none" : down ? "descending" : "ascending"));
    more.hidden = order.length <= most;
    more.textContent = `Show all ${order.length}`;
    body.replaceChildren(...order.slice(0, most).map(([, index]) => {
      const row = make("tr");
      columns.forEach(([, text], column) => {
        const cell = make("td", column ? text(data.tests[index]) : "", column > 1 && column < 5 ? "number" : "");
        if (!column) { const link = make("a", data.tests[index].id); link.href = `#${index}`; cell.append(link); }
        row.append(cell);
      });
      return row;
    }));
  };
  search.addEventListener("input", () => { wanted = search.value; fill(); });
  more.type = "button";
  more.addEventListener("click", () => { most = Infinity; fill(); });
  thead.append(head);
  list.append(thead, body);
  fill();
  main.replaceChildren(...nodes, search, data.tests.length ? list : make("p", "No test is flaky, broken or suspected."), more);
}

function wilson(failures, runs) {
  const z = 1.96, rate = failures / runs, scale = 1 + z * z / runs;
  const middle = (rate + z * z / (2 * runs)) / scale;
  const half = z * Math.sqrt(rate * (1 - rate) / runs + z * z / (4 * runs * runs)) / scale;
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

function chart(weeks) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 640 140");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Rate of failures by week with its 95 % interval");
  weeks.forEach((week, index) => {
    if (!week.runs) return;
    const x = 20 + 600 * (index + 0.5) / weeks.length, y = (rate) => 130 - 120 * rate;
    const [low, high] = wilson(week.failures, week.runs);
    const draw = (tag, values) => { const node = document.createElementNS(space, tag); for (const [key, value] of Object.entries(values)) node.setAttribute(key, value); svg.append(node); return node; };
    draw("line", { x1: x, x2: x, y1: y(low), y2: y(high) });
    const title = document.createElementNS(space, "title");
    title.textContent = `${week.monday}: ${week.failures} of ${week.runs}`;
    draw("circle", { cx: x, cy: y(week.failures / week.runs), r: 4 }).append(title);
  });
  return svg;
}

function list(title, items) {
  if (!items.length) return [];
  const all = make("ul");
  all.append(...items.map((item) => make("li", item)));
  return [make("h2", title), all];
}

// Runs of one session are numbered: "rerun:night/1/40 to 44" for five keys in a row.
function runs(keys) {
  const told = [];
  for (const key of keys) {
    const [, stem, number] = key.match(/^(.*\/)(\d{1,9})$/) || [null, key, ""];
    const last = told[told.length - 1];
    if (number && last && last.stem === stem && Number(number) === last.to + 1) last.to += 1;
    else told.push({ stem, from: number, to: Number(number) });
  }
  return told.map((each) => each.stem + each.from + (each.from && each.to > Number(each.from) ? ` to ${each.to}` : "")).join(", ");
}

function trial(each) {
  const foreign = each.in_another_way ? `, ${each.in_another_way} in another way` : "";
  return `${each.label}: failed ${each.failures} of ${each.runs}${foreign}${each.conditions ? ` (${each.conditions})` : ""}, runs ${runs(each.keys)}`;
}

function detail(each) {
  const back = make("a", "All tests");
  back.href = "#";
  const nodes = [back, make("h2", each.id), make("p", `${each.verdict}: ${each.reason}. Rate ${range(each) || "not known"}.`)];
  if (each.what_to_do) nodes.push(make("p", `What to do: ${each.what_to_do}.`));
  if (each.weeks.length) nodes.push(make("h2", "Rate by week"), chart(each.weeks));
  for (const proof of each.experiments?.proofs ?? []) {
    nodes.push(make("h2", `Proof: ${proof.cause}`), make("p", proof.sentence));
    nodes.push(...list("Runs", proof.trials.map(trial)), ...list("Polluted by", proof.polluters), ...list("Needs", proof.setters));
  }
  nodes.push(...list("Tried, and not the cause", (each.experiments?.tried ?? []).map((tried) => `${tried.cause}: ${tried.why}`)));
  nodes.push(...list("Both outcomes at one commit", each.both_outcomes.map((mixed) => `${mixed.commit.slice(0, 12)}, ${mixed.environment}: failed ${mixed.failures} of ${mixed.runs}; passed in ${mixed.passed_in}, failed in ${mixed.failed_in}`)));
  main.replaceChildren(...nodes);
  back.focus();
}

function route() {
  const each = /^#\d+$/.test(location.hash) ? data.tests[Number(location.hash.slice(1))] : undefined;
  if (each) detail(each); else table();
}
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash) location.hash = "";
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) { const search = document.querySelector("input"); if (search) { event.preventDefault(); search.focus(); } }
});
route();
