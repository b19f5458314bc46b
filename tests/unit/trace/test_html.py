"""The trace page, as text and in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from bot.ports import EventKind, JsonValue
from bot.trace.file import TraceFile
from bot.trace.html import render_trace
from bot.trace.html_diff import side_by_side
from bot.trace.read import read_trace
from bot.trace.redact import Redactor
from tests.fakes import FakeClock
from tests.unit.publish.sample import FIX, NEW, TARGET, play
from tests.unit.publish.test_terminal import ODD
from tests.unit.publish.test_untrusted import HOSTILE


def sample(folder: Path) -> Path:
    path = folder / "trace.jsonl"
    with TraceFile(path, {"version": "0.1.0"}, FakeClock(0.7), Redactor()) as trace:
        play(trace)
    return path


def test_the_page_has_what_a_reader_looks_for(tmp_path: Path) -> None:
    page = render_trace(read_trace(sample(tmp_path)))
    for wanted in (
        '<h1 class="good">Repaired</h1>',
        "<dd>4dd2ac0b8b1f</dd>",
        "<dd>$0.0038, 1 request</dd>",
        f"<code>{TARGET.node_id}</code>",
        '<span class="new added">+        if count &gt;= 10:</span>',
        '<span class="old removed">-        if count &gt; 10:</span>',
        "<b>reproduced</b>",
        "188 tests: 0 passed before and fail now, 0 vanished",
        f'<td><code id="test-1-2">{NEW.node_id}</code></td>',
        "Attempt 1 (search):",
        "the source asks whether it is under test",
        "<code>discount</code> compares with <code>&gt;</code>",
    ):
        assert wanted in page, wanted
    assert page.count("if count &gt;= 10:") == 2 + 1  # the fix once, and the two events that carry it
    assert page.count("<script>") == 1
    assert not re.search(r"<script[^>]|\bon\w+=|https?://|url\(|@import|src=|innerHTML|eval\(", page)


def test_a_torn_trace_says_so_and_shows_the_rest(tmp_path: Path) -> None:
    path = sample(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    page = render_trace(read_trace(path))
    assert '<h1 class="warn">Cut off: the run recorded no outcome</h1>' in page
    assert "The trace is not whole." in page and "is torn" in page
    assert "Failure 1: " in page and "not finished" in page and "Suspected cause" in page


@pytest.mark.parametrize("cut", range(1, 45, 4))
def test_a_trace_may_end_after_any_event(tmp_path: Path, cut: int) -> None:
    path = sample(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:cut]))
    page = render_trace(read_trace(path))
    assert page.count("<details") == page.count("</details>") and page.endswith("</html>\n")


@pytest.mark.parametrize("data", ODD)
def test_odd_data_is_shown_as_it_is(tmp_path: Path, data: dict[str, JsonValue]) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {"started": 1e18}, FakeClock(), Redactor()) as trace:
        for kind in EventKind:
            trace.record(kind, **data)
    assert render_trace(read_trace(path)).endswith("</html>\n")


def test_events_that_name_no_repair_or_attempt_belong_to_the_current_one(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        for repair in (1, 2):
            trace.record(EventKind.GATE, repair=repair, name="reproduced", status="passed", evidence=f"seen {repair}")
            trace.record(EventKind.PROPOSAL, repair=repair, attempt=1, root_cause=f"cause {repair}")
            trace.record(EventKind.VET, objections=[{"rule": f"rule {repair}", "grade": "review"}])
            trace.record(EventKind.OUTCOME, repair=repair, outcome="needs_review", patch="diff")
        trace.record(EventKind.OUTCOME, outcome="needs_review")
    first, second = render_trace(read_trace(path)).split(">Failure ")[1:]
    second = second.split(">Timeline</h2>")[0]
    assert "<td>rule 1</td>" in first and "<td>rule 2</td>" not in first and "seen 1" in first
    assert "<td>rule 2</td>" in second and "<td>rule 1</td>" not in second and "cause 2" in second
    assert "A possible fix" in first and "The fix" not in first


ARGUMENTS = [
    "",
    "not JSON",
    "[1, 2]",
    "{" * 100_000,
    '{"a": ' * 900 + "1" + "}" * 900,
    '{"n": 1e999, "b": ' + "9" * 5_000 + "}",
    json.dumps({"patch": "x" * 500_000, "new_test": {"path": "t.py", "source": "assert 1"}, "none": None}),
    json.dumps({str(number): number for number in range(5_000)}),
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=range(len(ARGUMENTS)))
def test_a_call_with_any_arguments_is_shown(tmp_path: Path, arguments: str) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        trace.record(EventKind.REQUEST, repair=1, messages=[])
        trace.record(EventKind.REPLY, repair=1, tool_calls=[{"id": "a", "name": "try_patch", "arguments": arguments}])
        trace.record(EventKind.TOOL_RESULT, repair=1, id="a", name="try_patch", ok=False, result="no", seconds=0.1)
    page = render_trace(read_trace(path))
    call = page[page.index('<details class="call">') :].split("</section>")[0]
    assert "try_patch" in call and '<span class="bad">refused</span>' in call and len(call) < 120_000
    assert page.count("<details") == page.count("</details>")


def test_a_diff_without_git_headers_names_each_of_its_files(tmp_path: Path) -> None:
    patch = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n--- a/y.py\n+++ b/y.py\n@@ -3 +3,2 @@ f\n c\n+d\n"
    shown = side_by_side(patch, "p", lambda path: f"[of {path}]")
    assert re.findall(r"\[of (.*?)\]", shown) == ["x.py", "y.py"] and "+++ b/x.py" in shown and "--- a/y.py" in shown
    assert '<b class="new">4</b><span class="new added">+d</span>' in shown and 'id="p-2"' in shown


def test_a_trace_of_many_events_is_cut_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        for number in range(4_100):
            trace.record(EventKind.SANDBOX_RUN, phase="started", purpose=f"run {number}")
    page = render_trace(read_trace(path))
    assert "100 events are left out here" in page
    assert "run 0<" in page and "run 4099<" in page and "run 2050<" not in page


# --- in a browser ---------------------------------------------------------------------------------------------------

ATTACKS = [
    *HOSTILE,
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "</style><script>document.title='owned'</script>",
    "' onmouseover='document.title=1' x='",
    '" style="background:url(http://evil.example/x)" x="',
    "</pre></details></main><h1>owned</h1>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<link rel=stylesheet href=http://evil.example/x.css><base href=http://evil.example>",
    "`<b>bold</b>`",
]


def hostile(folder: Path) -> Path:
    path = folder / "trace.jsonl"
    with TraceFile(path, {"version": ATTACKS[0]}, FakeClock(0.1), Redactor()) as trace:
        for attack in ATTACKS:
            patch = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@ {attack}\n-{attack}\n+{attack}\n"
            data: dict[str, JsonValue] = dict.fromkeys(
                [
                    "version",
                    "path",
                    "commit",
                    "engine",
                    "sandbox",
                    "model",
                    "outcome",
                    "reason",
                    "message",
                    "purpose",
                    "output",
                    "name",
                    "evidence",
                    "verdict",
                    "root_cause",
                    "text",
                    "reasoning",
                    "status",
                ],
                attack,
            )
            data |= {
                "repair": 1,
                "attempt": 1,
                "patch": patch,
                "isolated": False,
                "clusters": [{"targets": [attack], "exception": attack, "message": attack}],
                "locations": [{"path": attack, "line": 1, "symbol": attack, "suspiciousness": 2, "reason": attack}],
                "objections": [{"rule": attack, "path": attack, "message": attack, "grade": attack}],
                "new_test": {"path": attack, "source": attack, "explanation": attack},
                "tests": [{"id": attack, "before": attack, "after": attack}],
                "run_ids": [attack],
                "conversation": attack,
                "messages": [{"role": attack, "content": attack}],
                "tool_calls": [
                    {
                        "id": attack,
                        "name": attack,
                        "arguments": json.dumps({attack: attack, "new_test": {attack: [attack]}}),
                    },
                    {"id": "other", "name": attack, "arguments": attack},
                ],
                "id": attack,
                "result": attack,
                "part": attack,
                attack: attack,
            }
            for kind in EventKind:
                trace.record(kind, **{name: value for name, value in data.items() if name not in ("kind", "self")})
            failed: dict[str, JsonValue] = {"repair": 1, "conversation": attack, "fault": attack, "error": attack}
            for kind in (EventKind.REQUEST, EventKind.STREAM, EventKind.REPLY):
                trace.record(kind, part="reasoning", text=attack, **failed)
            trace.record(EventKind.OUTCOME, outcome=attack, reason=attack, message=attack)
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.mark.chromium
@pytest.mark.parametrize(
    ("make", "scheme", "width"),
    [(sample, "light", 1200), (sample, "dark", 390), (hostile, "dark", 1200), (hostile, "light", 390)],
)
def test_the_page_is_inert_self_contained_and_fits(
    browser: Browser, tmp_path: Path, make: Callable[[Path], Path], scheme: str, width: int
) -> None:
    file = tmp_path / "trace.html"
    trace = read_trace(make(tmp_path))
    assert not trace.problems
    file.write_text(render_trace(trace), "utf-8")
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.locator("details").evaluate_all("folds => folds.slice(0, 60).forEach(fold => { fold.open = true })")
        assert asked == [file.as_uri()]
        assert said == []
        assert page.title().endswith(" · grokfix")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("img, iframe, link, object, base, form, a:not([href^='#'])").count() == 0
        assert page.locator("script").count() == 1 and page.locator("input").count() == 1
        links = page.locator("a").evaluate_all("links => links.map(link => link.getAttribute('href').slice(1))")
        dangling = page.evaluate(
            "ids => ids.filter(id => document.querySelectorAll(`[id='${id}']`).length !== 1)", links
        )
        assert dangling == []
        assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
        attributes = page.evaluate(
            "[...new Set([...document.querySelectorAll('body *')].flatMap(e => e.getAttributeNames()))].sort()"
        )
        assert set(attributes) <= {"class", "open", "tabindex", "id", "href", "type", "placeholder", "aria-label"}
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper))) > 380) == (scheme == "light"), paper
        low = page.evaluate(CONTRAST)
        assert low == [], low
    finally:
        page.close()


CONTRAST = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => { const f = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = node => { for (; node; node = node.parentElement) {
    const colour = rgb(getComputedStyle(node).backgroundColor); if (colour.length < 4 || colour[3] > 0) return colour; }
    return [255, 255, 255]; };
  const low = new Set();
  for (const node of [...document.querySelectorAll('body *')].slice(0, 1500)) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) low.add(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return [...low];
}"""
"""Text whose contrast with what lies behind it is under 4.5 (WCAG 2.2, 1.4.3)."""


def test_the_fix_is_shown_whole(tmp_path: Path) -> None:
    page = render_trace(read_trace(sample(tmp_path)))
    for line in FIX.splitlines():
        if line.startswith(("index ", "--- ", "+++ ", "diff --git ")):
            continue  # the file's heading says it
        assert line.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").rstrip() in page


def test_calls_that_came_as_text_stand_with_their_results(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        trace.record(EventKind.REQUEST, repair=1, messages=[])
        trace.record(EventKind.REPLY, repair=1, text="I look. <tool_call>{}</tool_call>", tool_calls=[])
        trace.record(
            EventKind.TOOL_CALL, repair=1, id="a", name="read_file", arguments='{"path": "cart.py"}', as_text=True
        )
        trace.record(EventKind.TOOL_RESULT, repair=1, id="a", name="read_file", ok=True, result="9 lines", seconds=0.1)
        trace.record(
            EventKind.REQUEST, repair=1, messages=[{"role": "tool", "content": "9 lines", "tool_call_id": "a"}]
        )
    page = render_trace(read_trace(path)).split('<h2 id="timeline"')[0]
    call = page[page.index('<details class="call">') :]
    assert "read_file" in call and "9 lines" in call
    assert "Read from the text above" in page and "&lt;tool_call&gt;" in page
    assert page.count('<details class="call">') == 1


@pytest.mark.parametrize(
    ("served", "shown"),
    [
        ([], "grok-a"),
        (["grok-a", "grok-a"], "grok-a"),
        (["grok-b", "", "grok-b"], "grok-a, served by grok-b"),
        (["b", "c", "d", "e"], "grok-a, served by b, c, d and 1 more"),
        (["<b>"], "grok-a, served by &lt;b&gt;"),
    ],
)
def test_the_served_model_is_shown_where_it_is_another_one(tmp_path: Path, served: list[str], shown: str) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        trace.record(EventKind.RUN, model="grok-a")
        for name in served:
            trace.record(EventKind.REPLY, repair=1, model=name)
    assert f"<dt>Model</dt><dd>{shown}</dd>" in render_trace(read_trace(path))


def test_a_folded_step_says_how_many_calls_it_does_not_name(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        trace.record(EventKind.REQUEST, repair=1, messages=[])
        calls: JsonValue = [{"id": f"{number}", "name": f"tool_{number}", "arguments": "{}"} for number in range(8)]
        trace.record(EventKind.REPLY, repair=1, tool_calls=calls)
    assert "tool_4, tool_5</code> and 2 more" in render_trace(read_trace(path))
