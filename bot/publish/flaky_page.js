"use strict";
// triage.json as it is: a line a test. What the table sorts and filters by stands at a line's beginning; the rest of it is
// read where it is shown. No string in JSON can hold the key at which a line is parted: its quotes would be escaped.
const lines = document.getElementById("data").textContent.split("\n");
const main = document.querySelector("main");
const isRow = (line) => line.startsWith("    ");
const rows = lines.filter(isRow).map((line) => line.endsWith(",") ? line.slice(0, -1) : line);
const data = JSON.parse(lines.filter((line) => !isRow(line)).join(""));
const silent = { verdict: "stable", cause: null, runs: 0, failures: 0, minutes_lost_a_week: null, cluster: "", reason: "nothing speaks against it now", what_to_do: "" };
const heads = JSON.parse(`[${rows.map((row) => `${row.slice(0, row.indexOf(',"steps":'))}}`).join()}]`).map((head) => "verdict" in head ? head : { ...silent, ...head });
const whole = (index) => {
  const each = JSON.parse(rows[index]);
  return { ...heads[index], ...each, weeks: each.weeks.map(([monday, runs, failures, low, high]) => ({ monday, runs, failures, low, high })) };
};

const make = (tag, content = "", name = "") => {
  const node = document.createElement(tag);
  node.append(...(Array.isArray(content) ? content : [content]));
  if (name) node.className = name;
  return node;
};
const link = (text, hash) => { const node = make("a", text); node.href = hash; return node; };
const counted = (each) => `${each.failures} of ${each.runs}`;
const percent = (rate) => rate <= 0 ? "0" : rate >= 0.0995 ? (100 * rate).toFixed(0) : rate >= 0.0005 ? (100 * rate).toFixed(1) : "< 0.1";
const between = ({ low, high }) => `${percent(low)} to ${percent(high)} %`;
const range = (each) => each.runs ? between(each.interval) : "";
const commit = (sha) => sha.slice(0, 12);
const shown = (state, until) => state === "quarantined" ? `quarantined ${/^\d{4}-\d\d-\d\d$/.test(until) ? `until ${until}` : "without a date"}` : state ?? "";
const state = (each) => shown(each.state, each.steps.at(-1)?.until);

// --- the table ---

// The newest twelve weeks, as high as their worst; a dot is a week without a run.
function trend(each) {
  const weeks = byDate(each.weeks).slice(-12);
  const top = Math.max(...weeks.map((week) => week ? week.failures / week.runs : 0));
  return weeks.map((week) => !week ? "·" : top ? "▁▂▃▄▅▆▇█"[Math.round(7 * week.failures / week.runs / top)] : "▁").join("");
}

// With null for each week between two that had runs, at most twelve of them.
function byDate(weeks) {
  const all = [];
  weeks.forEach((week, place) => {
    const gap = place ? (Date.parse(week.monday) - Date.parse(weeks[place - 1].monday)) / 604800000 - 1 : 0;
    for (let left = Math.min(12, Math.round(gap)); left > 0; left -= 1) all.push(null);
    all.push(week);
  });
  return all;
}

// Heading, what is shown of a whole test, what its head is sorted by (null: nothing), class.
const columns = [
  ["test", null, (head) => head.id],
  ["is", (each) => each.verdict, (head) => head.verdict],
  ["failed", (each) => each.runs ? counted(each) : "", (head) => head.runs ? head.failures / head.runs : -1, "number"],
  ["rate, 95 %", range, (head) => head.runs ? head.interval.low : -1, "number"],
  ["last weeks", trend, null, "trend"],
  ["min lost a week", (each) => String(each.minutes_lost_a_week ?? ""), (head) => head.minutes_lost_a_week ?? -1, "number minutes"],
  ["cause", (each) => each.cause ?? "", (head) => head.cause ?? ""],
  ["state", state, (head) => head.state ?? "", "whole"],
];
let sorted = 5, down = true, wanted = "", most = 200;

function row(index) {
  const each = whole(index);
  return make("tr", columns.map(([, text,, name]) => make("td", text ? text(each) : link(each.id, `#${index}`), name)));
}

function table() {
  const search = make("input");
  search.type = "search";
  search.placeholder = "Filter by name, verdict, cause, state, owner";
  search.setAttribute("aria-label", search.placeholder);
  search.value = wanted;
  const list = make("table"), titles = make("tr"), body = make("tbody"), more = make("button"), none = make("p");
  columns.forEach(([name,, value], index) => {
    const button = make("button", name);
    button.type = "button";
    button.addEventListener("click", () => { down = sorted === index ? !down : typeof value(heads[0]) === "number"; sorted = index; fill(); });
    titles.append(make("th", value ? button : name));
  });
  const fill = () => {
    const value = columns[sorted][2], words = wanted.toLowerCase().split(/\s+/);
    const order = heads.map((head, index) => [value(head), index]).filter(([, index]) => {
      const head = heads[index], all = `${head.id} ${head.verdict} ${head.cause ?? ""} ${head.state ?? ""} ${head.owners.join(" ")}`.toLowerCase();
      return words.every((word) => all.includes(word));
    }).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    [...titles.children].forEach((cell, index) => cell.setAttribute("aria-sort", index !== sorted ? "none" : down ? "descending" : "ascending"));
    more.hidden = order.length <= most;
    more.textContent = `Show all ${order.length}`;
    list.hidden = !order.length;
    none.hidden = Boolean(order.length);
    none.textContent = heads.length ? "No test is like that." : "No test is flaky, broken or suspected.";
    body.replaceChildren(...order.slice(0, most).map(([, index]) => row(index)));
  };
  search.addEventListener("input", () => { wanted = search.value; fill(); });
  more.type = "button";
  more.addEventListener("click", () => { most = Infinity; fill(); });
  list.append(make("thead", titles), body);
  fill();
  main.replaceChildren(...about(), ...(heads.length ? [search] : []), list, none, more);
}

function about() {
  const parts = [data.date, data.commit && `commit ${commit(data.commit)}`, data.environment, `${data.runs} runs in ${Math.round(data.seconds / 6) / 10} min`];
  if (data.shards.length > 1 || data.lost_shards.length) parts.push(`${data.shards.length} of ${data.shards.length + data.lost_shards.length} shards`);
  if (data.stable && data.stable_bound < 1) parts.push(`a stable test fails in at most ${percent(data.stable_bound)} % of its runs, as far as they show`);
  if (data.scan) parts.push(`history of ${data.scan.workflow_runs} workflow runs, ${data.scan.since} to ${data.scan.until}`);
  const warnings = [];
  if (data.scan && !data.scan.complete) warnings.push("The history could not be read whole, so nothing rests on it: " + data.scan.problems.join("; "));
  if (data.lost_shards.length) warnings.push(`Shards that handed in nothing: ${data.lost_shards.join(", ")}. What they would have seen is not known.`);
  return [make("p", parts.filter(Boolean).join(" · "), "about"), ...[...warnings, ...data.problems].map((text) => make("p", text, "warning"))];
}

// --- a test's page ---

function chart(weeks) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  const draw = (tag, values, text = "") => {
    const node = document.createElementNS(space, tag);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    node.textContent = text;
    svg.append(node);
    return node;
  };
  svg.setAttribute("viewBox", "0 0 640 190");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Rate of failures by week with its 95 % interval; the numbers follow");
  const all = byDate(weeks), highest = Math.max(...weeks.map((week) => week.high));
  const top = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1].find((limit) => limit >= highest - 1e-9) ?? 1;
  const x = (place) => 60 + 560 * (place + 0.5) / all.length, y = (rate) => 160 - 145 * rate / top;
  for (const part of [0, 0.5, 1]) {
    draw("line", { x1: 52, x2: 630, y1: y(top * part), y2: y(top * part), class: "grid" });
    draw("text", { x: 46, y: y(top * part) + 4, "text-anchor": "end" }, `${Math.round(1000 * top * part) / 10} %`);
  }
  all.forEach((week, place) => {
    if (place === 0 || place === all.length - 1) draw("text", { x: x(place), y: 182, "text-anchor": all.length === 1 ? "middle" : place ? "end" : "start" }, week.monday);
    if (!week) return;
    draw("line", { x1: x(place), x2: x(place), y1: y(week.low), y2: y(week.high), class: "interval" });
    const title = document.createElementNS(space, "title");
    title.textContent = `${week.monday}: failed ${counted(week)}`;
    draw("circle", { cx: x(place), cy: y(week.failures / week.runs), r: 4 }).append(title);
  });
  const told = make("details", [make("summary", "Numbers"), items(weeks.map((week) => `${week.monday}: failed ${counted(week)}, ${between(week)}`))]);
  return [svg, told];
}

const items = (all) => make("ul", all.map((each) => make("li", each)));
const section = (title, all) => all.length ? [make("h3", title), items(all)] : [];

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
  const where = each.conditions ? ` (${each.conditions})` : "";
  const line = `${each.label}: failed ${counted(each)}${foreign}${where}${each.keys.length ? `, runs ${runs(each.keys)}` : ""}`;
  if (each.tests_in_all < 2) return line;
  const place = each.place === null ? "" : `; this one is number ${each.place}`;
  const left = each.tests_in_all - each.tests.length;
  const order = make("ol", each.tests.map((id) => make("li", id)));
  order.start = left + 1;
  return [line, make("details", [make("summary", `The ${each.tests_in_all} tests in their order${place}`), ...(left ? [make("p", `The first ${left} are left out.`)] : []), order])];
}

function failed(run) {
  const said = [run.exception, run.message].filter(Boolean).join(": ");
  const among = run.whole ? "" : " that the report names";
  const place = `number ${run.place} of ${run.of}${among}${run.after === null ? "" : `, after ${run.after}`}${run.passed_on_retry ? "; it passed on a retry" : ""}`;
  return [`${run.date}, ${[commit(run.commit), run.environment, run.run].filter(Boolean).join(", ")}`, make("br"), place, ...(said ? [make("br"), make("q", said)] : [])];
}

function facts(each) {
  const listed = each.quarantine;
  const pairs = [
    ["Rate, 95 %", each.runs && `${range(each)} (failed ${counted(each)})`],
    ["Under provocation", each.provoked?.runs && `failed ${counted(each.provoked)}, not counted in the rate`],
    ["Minutes lost", each.minutes_lost_a_week !== null && `${each.minutes_lost_a_week} a week, expected`],
    ["Takes", each.seconds && `${each.seconds} s (median)`],
    ["First seen", each.first_seen],
    ["Failed", each.first_failed && `first on ${each.first_failed}, last on ${each.last_failed}`],
    ["Introduced by", each.introduced && `commit ${each.introduced}`],
    ["State", state(each)],
    ["Quarantine", listed && [`since ${listed.since || "?"}, until ${listed.until || "no date: it counts"}`, listed.owner && `owner ${listed.owner}`, listed.reason].filter(Boolean).join("; ")],
    ["Owners", each.owners.join(", ")],
  ];
  return make("dl", pairs.filter(([, text]) => text).flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
}

function broke(found) {
  return found === null ? [] : section("Broken since", [
    `failed ${counted(found.at_good)} at ${commit(found.good)}, ${counted(found.at_bad)} at ${commit(found.bad)}, in turns (p = ${found.p_value.toPrecision(2)})`,
    ...(found.first_bad ? [`first bad commit ${found.first_bad}${found.author ? ` by ${found.author}` : ""}`] : []),
  ]);
}

function page(index) {
  const each = whole(index), back = link("All tests", "#");
  const nodes = [back, make("h2", each.id), make("p", [make("b", each.verdict), `: ${each.reason}.`])];
  if (each.what_to_do) nodes.push(make("p", `What to do: ${each.what_to_do}.`));
  nodes.push(facts(each));
  if (each.weeks.length) nodes.push(make("h3", "Rate by week"), ...chart(each.weeks));
  for (const proof of each.experiments?.proofs ?? []) {
    nodes.push(make("h3", `Proof: ${proof.cause}`), make("p", `${proof.detail}.`), items(proof.trials.map(trial)));
    nodes.push(...section("Polluted by", proof.polluters), ...section("Needs", proof.setters));
  }
  const tried = each.experiments?.tried ?? [];
  nodes.push(...section("Tried, and not the cause", tried.map((one) => [`${one.cause}: ${one.why}`, ...(one.trials.length ? [items(one.trials.map(trial))] : [])])));
  if (each.experiments?.cut) nodes.push(make("p", `The experiments ended early: ${each.experiments.cut}.`));
  nodes.push(...broke(each.regression ?? null));
  nodes.push(...section("Both outcomes at one commit", (each.both_outcomes ?? []).map((mixed) => `${commit(mixed.commit)}, ${mixed.environment}: failed ${counted(mixed)}; passed in ${mixed.passed_in}, failed in ${mixed.failed_in}`)));
  nodes.push(...section("Newest failures", each.failed_runs.map(failed)));
  if (each.fingerprints?.length > 1) nodes.push(...section("Ways in which it fails", each.fingerprints.map((one) => `${one.failures} times ${one.fingerprint}`)));
  nodes.push(...section("States", each.steps.map((step) => `${step.date}: ${shown(step.state, step.until)}, by ${step.by}: ${step.reason}`)));
  const others = each.cluster ? heads.flatMap((other, place) => other.cluster === each.cluster && place !== index ? [link(other.id, `#${place}`)] : []) : [];
  nodes.push(...section("Fails together with", [...others.slice(0, 30), ...(others.length > 30 ? [`and ${others.length - 30} more`] : [])]));
  main.replaceChildren(...nodes);
  back.focus({ preventScroll: true });
  scrollTo(0, 0);
}

let left = 0;
function route() {
  const index = /^#\d{1,9}$/.test(location.hash) ? Number(location.hash.slice(1)) : -1;
  if (index in heads) page(index); else { table(); scrollTo(0, left); }
}
addEventListener("scroll", () => { if (!location.hash.slice(1)) left = scrollY; });
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash) location.hash = "";
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) { const search = document.querySelector("input"); if (search) { event.preventDefault(); search.focus(); } }
});
route();
