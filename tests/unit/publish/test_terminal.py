"""The live view and the closing summary, on a terminal, in a log, and from hostile input."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bot.ports import EventKind, JsonValue, Usage
from bot.propose.types import StopReason
from bot.publish.progress import Progress
from bot.publish.terminal import LiveView, summary
from bot.publish.words import duration, money, spent
from bot.result import Result, RunOutcome
from bot.vet.types import Grade, Objection
from tests.fakes import FakeClock
from tests.unit.publish.sample import FIX, GAVE_UP, REPAIR, REPAIRED, play


def console(*, terminal: bool = False, width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    made = Console(file=out, force_terminal=terminal, width=width, color_system="standard" if terminal else None)
    return made, out


def watched(*, verbose: bool = False) -> list[str]:
    made, out = console()
    with LiveView(made, FakeClock(0.5), verbose=verbose) as view:
        play(view)
    return out.getvalue().splitlines()


def test_a_log_gets_a_line_for_each_event_that_matters() -> None:
    lines = [line[10:] for line in watched()]
    assert lines[:5] == [
        "grokfix 0.1.0: engine auto, model grok-code-fast-1, sandbox docker",
        "2 failing tests, 1 cause to find",
        "  tests/test_cart.py::TestTotals::test_bulk_discount[10-items] and 1 more: "
        "AssertionError: assert Decimal('0') == Decimal('0.50')",
        "base run: 187 tests, 2 failed, 3.1 s",
        "  ✓ reproduced: 2 of 2 targets fail on the base commit with AssertionError",
    ]
    assert "attempt 1 of 5 (search): The boundary of `discount` is off by one." in lines
    assert "  blocked: shop/cart.py: the source asks whether it is under test [test_only_branch]" in lines
    assert "  ✗ vetted: 1 blocking objection" in lines
    assert lines[-3:] == ["attempt 2 of 5: plausible", "repair 1: Repaired", "the run: Repaired"]
    assert all(re.match(r" *\d+\.\d s  ", line) for line in watched())


def test_verbose_says_more() -> None:
    lines = [line[10:] for line in watched(verbose=True)]
    assert len(lines) > 1.5 * len(watched())
    for wanted in ("running: base run", "asking grok-code-fast-1", "so far $0.0038, 1 request", "  no objection"):
        assert wanted in lines


def test_a_terminal_gets_a_panel_that_is_gone_afterwards() -> None:
    made, out = console(terminal=True)
    clock = FakeClock()
    with LiveView(made, clock) as view:
        view.record(EventKind.RUN, engine="search", sandbox="docker", max_attempts=5)
        view.record(EventKind.EVIDENCE, clusters=[{"targets": ["a"]}, {"targets": ["b"]}])
        view.record(EventKind.PROPOSAL, repair=2, attempt=3, engine="search", root_cause="cause")
        view.record(EventKind.GATE, repair=2, attempt=3, name="applies", status="passed", evidence="1 file")
        view.record(EventKind.USAGE, requests=2, cost_usd=0.5)
        view.record(EventKind.SANDBOX_RUN, repair=2, phase="started", purpose="red: [bold]the new test[/bold]")
        clock.sleep(3)
        assert view._live is not None
        view._live.refresh()
    shown = out.getvalue()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown[shown.rindex("╭") : shown.rindex("╰")])
    assert "running: red: [bold]the new test[/bold]  3.0 s" in last
    assert "✓ applies" in last and "· red" in last
    assert "repair 2 of 2 · attempt 3 of 5 · 3.0 s · $0.50, 2 requests" in last
    assert shown.rstrip().endswith("\x1b[2K")  # the panel is erased


def test_a_dumb_terminal_gets_lines() -> None:
    out = io.StringIO()
    dumb = Console(file=out, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    with LiveView(dumb, FakeClock()) as view:
        view.record(EventKind.BASE, tests=3, failed=1, seconds=0.2)
    assert out.getvalue().strip().endswith("base run: 3 tests, 1 failed, 0.2 s")
    assert "\x1b" not in out.getvalue()


THOUGHTS = [
    "The three failing cases sit on a limit. ",
    "Weights inside a band pass, ",
    "so I suspect a strict comparison somewhere in band_for, and nothing else as far as I can see now.\nLet me",
    " read [bold]it\x1b[31m.\n::error::owned",
]


def think(view: LiveView) -> None:
    for piece in THOUGHTS:
        view.record(EventKind.STREAM, repair=1, part="reasoning", text=piece)


def test_a_terminal_shows_one_quiet_line_of_what_the_model_thinks() -> None:
    made, out = console(terminal=True, width=80)
    with LiveView(made, FakeClock()) as view:
        view.record(EventKind.REQUEST, model="grok-4")
        think(view)
        assert view._live is not None
        view._live.refresh()
        shown = out.getvalue()
        view.record(EventKind.STREAM, part="text", text="{")
        view._live.refresh()
        after = out.getvalue()[len(shown) :]
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown[shown.rindex("╭") :])
    thinking = [line for line in last.splitlines() if "…" in line]
    assert len(thinking) == 1 and len(thinking[0]) == 80 and "the model thinks" in last
    assert "the model writes" in after and "… " not in after
    assert "\n::error" not in out.getvalue()
    assert not any(line.strip().startswith("…") for line in out.getvalue().splitlines())  # nothing of it stays


def test_a_log_tells_thoughts_when_asked_to_and_no_line_twice() -> None:
    quiet, out = console()
    with LiveView(quiet, FakeClock()) as view:
        think(view)
    assert out.getvalue() == ""
    verbose, out = console(width=200)
    with LiveView(verbose, FakeClock(), verbose=True) as view:
        think(view)
        view.record(EventKind.STREAM, part="restart", text="")
        think(view)
        view.record(EventKind.REPLY, model="m", text="x")
    lines = [line[10:] for line in out.getvalue().splitlines()]
    first = [
        "  … The three failing cases sit on a limit. Weights inside a band pass, so I suspect a strict comparison",
        "  … somewhere in band_for, and nothing else as far as I can see now.",
        "  … Let me read [bold]it.",
    ]
    assert lines[:4] == [*first, "the stream broke, asking again"]
    assert lines[4:7] == first and "error::owned" in lines[7] and not lines[7].lstrip(" …").startswith("::")
    assert lines[8] == "reply from m: 1 characters" and len(lines) == 9


def test_a_flood_of_thoughts_is_cut() -> None:
    progress = Progress()
    lines = progress.feed(EventKind.STREAM, {"part": "reasoning", "text": "x" * 2_000_000}, verbose=True)
    assert 150 < len(lines) < 300


ODD: list[dict[str, JsonValue]] = [
    {},
    {"clusters": "x", "locations": [1, None], "objections": {"a": 1}, "files": 7},
    {"clusters": [{"targets": [1], "message": []}], "locations": [{}], "objections": [{}], "usage": None},
    {"attempt": "x", "repair": -1, "tests": 1.5, "seconds": float("nan"), "cost_usd": 10**400, "requests": 10**400},
    {"attempt": True, "name": None, "status": "odd", "outcome": "odd", "reason": "odd", "phase": 3, "seconds": 1e300},
]


@pytest.mark.parametrize("data", ODD)
@pytest.mark.parametrize("kind", list(EventKind))
def test_any_event_with_any_data_is_taken(kind: EventKind, data: dict[str, JsonValue]) -> None:
    progress = Progress()
    for verbose in (False, True):
        for line in progress.feed(kind, data, verbose=verbose):
            assert isinstance(line, str)
    assert progress.where() is not None and progress.spent()


HOSTILE = "\x1b[2J\x1b]0;owned\x07::error::x\r::set-output::y \u202e[red]markup[/red] :smile: \x9b31m ##[error]z"


@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_events_do_nothing_to_the_terminal(terminal: bool) -> None:
    made, out = console(terminal=terminal, width=2_000)
    data: dict[str, JsonValue] = dict.fromkeys(
        [
            "engine",
            "model",
            "sandbox",
            "version",
            "root_cause",
            "message",
            "name",
            "status",
            "evidence",
            "verdict",
            "outcome",
            "purpose",
        ],
        HOSTILE,
    )
    data |= {
        "clusters": [{"targets": [HOSTILE], "exception": HOSTILE, "message": HOSTILE}],
        "locations": [{"path": HOSTILE, "symbol": HOSTILE, "reason": HOSTILE}],
        "objections": [{"rule": HOSTILE, "path": HOSTILE, "message": HOSTILE, "grade": HOSTILE}],
        "files": [HOSTILE],
    }
    with LiveView(made, FakeClock(), verbose=True) as view:
        for kind in EventKind:
            view.record(kind, **data)
    _assert_harmless(out.getvalue())


def _assert_harmless(shown: str) -> None:
    assert "\x1b]" not in shown and "\x1b[2J" not in shown and "\x9b" not in shown and "\u202e" not in shown
    assert "[red]markup[/red] :smile:" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for line in re.split(r"[\r\n]", plain):
        assert not line.strip().startswith("::") and "##[" not in line


@pytest.mark.parametrize("terminal", [False, True])
def test_a_hostile_result_does_nothing_to_the_terminal(terminal: bool, tmp_path: Path) -> None:
    repair = replace(REPAIR, outcome=RunOutcome.GAVE_UP, message="m")
    result = replace(REPAIRED, repairs=(repair, repair, replace(repair, patch=None)), outcome=RunOutcome.GAVE_UP)
    made, out = console(terminal=terminal, width=2_000)
    summary(result.with_texts(lambda text: f"{HOSTILE}{text}"), made, tmp_path)
    _assert_harmless(out.getvalue())


def closing(result: Result, directory: Path, *, applied: bool = False, width: int = 100) -> str:
    made, out = console(width=width)
    summary(result, made, directory, applied=applied)
    return out.getvalue()


def test_the_summary_of_a_repair(tmp_path: Path) -> None:
    for name in ("fix.patch", "trace.html"):
        (tmp_path / name).touch()
    text = closing(REPAIRED, tmp_path)
    assert text.startswith("Repaired\n")
    for wanted in (
        "Cause  `discount` compares with `>` where the documentation says ten items or more.",
        "\n-        if count > 10:\n+        if count >= 10:\n",
        "Proof  new test tests/test_cart_boundary.py::test_ten_items_get_the_discount: Exactly ten items",
        "suite       ✓ passed  188 tests",
        "Suite  before: 183 passed, 2 failed, 2 skipped; after: 186 passed, 2 skipped",
        "30 s (set-up 4.2 s, base 3.1 s",
        f"Everything is in {tmp_path}\n  fix.patch    the fix\n  trace.html   the whole run, for a browser\n\n",
        f"Next  git apply {tmp_path}/fix.patch",
    ):
        assert wanted in text, text
    assert "Tried" not in text


def test_the_diff_is_coloured_on_a_terminal(tmp_path: Path) -> None:
    made, out = console(terminal=True)
    summary(REPAIRED, made, tmp_path)
    assert "\x1b[31m-        if count > 10:" in out.getvalue()
    assert "\x1b[32m+        if count >= 10:" in out.getvalue()
    assert "\x1b[1;32mRepaired" in out.getvalue()


@pytest.mark.parametrize(
    ("outcome", "reason", "headline", "advice"),
    [
        (
            RunOutcome.NEEDS_REVIEW,
            StopReason.REVIEW_GRADE,
            "needs a person's review (the patch does",
            "if you agree: git",
        ),
        (RunOutcome.FLAKY, None, "Flaky: fails only sometimes", "grokfix triage"),
        (RunOutcome.NOT_REPRODUCED, None, "could not be reproduced", "--junit or --log"),
        (RunOutcome.NO_FAILURES, None, "Nothing is failing", "nothing to do"),
        (RunOutcome.STOPPED, StopReason.INTERRUPTED, "Stopped before the end (the run was interrupted)", "part of it"),
        (
            RunOutcome.GAVE_UP,
            StopReason.BUDGET,
            "No fix found (the budget is used up)",
            "part of it is fixed: git apply",
        ),
    ],
)
def test_every_outcome_has_a_headline_and_a_next_step(
    tmp_path: Path, outcome: RunOutcome, reason: StopReason | None, headline: str, advice: str
) -> None:
    text = closing(replace(REPAIRED, outcome=outcome, reason=reason), tmp_path)
    assert headline in text.splitlines()[0]
    assert advice in text[text.index("Next  ") :]
    assert ("Repaired" in text) == (outcome is RunOutcome.REPAIRED)


def test_an_honest_stop_is_summed_up_as_well(tmp_path: Path) -> None:
    text = closing(GAVE_UP, tmp_path)
    for wanted in (
        "No fix found (no candidate passed every gate)",
        "412 candidates at 9 locations were tried",
        "Suspected cause  Probably the boundary",
        "Not a sandbox",
        "1. rejected: shop/cart.py: the source asks whether it is under test",
        "no model was asked",
        "--hint",
    ):
        assert wanted in text
    assert "git apply" not in text


def test_objections_are_put_before_the_reader(tmp_path: Path) -> None:
    review = Objection("size", "shop/cart.py", "200 lines", Grade.REVIEW, 12)
    allowed = Objection("style", "shop/cart.py", "not shown", Grade.ALLOWED)
    repair = replace(REPAIR, outcome=RunOutcome.NEEDS_REVIEW, objections=(allowed, review), new_test=None)
    text = closing(replace(REPAIRED, outcome=RunOutcome.NEEDS_REVIEW, repairs=(repair,)), tmp_path)
    assert "Look at this before you merge\n  shop/cart.py:12: 200 lines\n" in text and "not shown" not in text
    assert "Proof  the existing test only." in text


def test_patches_that_do_not_combine_and_applied_ones(tmp_path: Path) -> None:
    apart = replace(REPAIRED, patch=None, repairs=(REPAIR, REPAIR))
    text = closing(apart, tmp_path)
    assert "the fixes do not combine" in text and "2/           the fix of failure 2 alone" in text
    assert "the fix is in your work tree" in closing(REPAIRED, tmp_path, applied=True)


def test_a_narrow_terminal_and_a_huge_patch(tmp_path: Path) -> None:
    patch = FIX * 500
    text = closing(replace(REPAIRED, repairs=(replace(REPAIR, patch=patch),)), tmp_path, width=40)
    assert "all of it is in fix.patch" in text and len(text) < 40_000


def test_no_color_is_honoured() -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom rich.console import Console\n"
        "from bot.publish.terminal import summary\nfrom tests.unit.publish.sample import REPAIRED\n"
        "summary(REPAIRED, Console(force_terminal=True), Path('/tmp'))\n"
    )
    root = Path(__file__).parents[3]
    environment = {"NO_COLOR": "1", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert "Repaired" in done.stdout and not re.search(r"\x1b\[[0-9;]*3[0-7]m", done.stdout)


def test_nothing_else_of_publish_loads_rich() -> None:
    script = (
        "import sys\n"
        "import bot.result, bot.publish.progress, bot.publish.pull_request, bot.trace.file, bot.trace.read, bot.trace.tee\n"
        "import bot.trace.html\n"
        "print(sorted({'rich', 'pydantic', 'openai', 'docker', 'github'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3_599.7, "1 h 00 min"),
        (7_325, "2 h 02 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_money() -> None:
    assert [money(each) for each in (None, 0.0, 0.00384, 0.1, 12.3456)] == [
        "cost unknown", "$0.00", "$0.0038", "$0.10", "$12.35",
    ]  # fmt: skip
    assert spent(Usage()) == "no model was asked"
    assert spent(Usage(requests=2, cost_usd=None)).startswith("cost unknown, 2 requests")


@pytest.mark.parametrize(
    ("asked", "served", "says"),
    [
        ("grok-a", "grok-b", "; model grok-b (asked for grok-a)"),
        ("grok-a", "grok-a", "; model grok-a"),
        ("grok-a", "", "; model grok-a"),
    ],
)
def test_a_served_model_that_is_another_one_is_said(asked: str, served: str, says: str) -> None:
    made, out = console(width=300)
    summary(replace(REPAIRED, model=asked, served_model=served), made, Path("out"))
    assert any(line.endswith(says) for line in out.getvalue().splitlines())


def test_what_is_asked_but_not_charged_yet_is_not_nothing() -> None:
    progress = Progress()
    assert progress.spent() == "no model asked"
    progress.feed(EventKind.REQUEST, {"model": "grok-a"})
    assert progress.spent() == "first request"
    progress.feed(EventKind.USAGE, {"requests": 1, "cost_usd": 0.5})
    assert progress.spent() == "$0.50, 1 request"
