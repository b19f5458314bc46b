"""The terminal: a live view of a run, and the closing summary. Import this where it is used: it loads rich.

Everything is handed to rich as Text, never as markup, after `untrusted.log`: brackets in a test's output are brackets.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bot.ports import Clock, EventKind, JsonValue
from bot.publish.diff import LineKind, diff_lines
from bot.publish.flaky_proof import provoking
from bot.publish.progress import Progress, mark
from bot.publish.untrusted import bounded, log, one_line
from bot.publish.words import duration, outcome_words, plural, reason_words, spent
from bot.result import RepairResult, Result, RunOutcome, Totals
from bot.verify.types import FURTHER, Gate, GateName
from bot.vet.types import Grade

_REFRESH_PER_SECOND = 6
_DIFF_CHARACTERS = 12_000
_STATUS_STYLES = {"passed": "green", "failed": "bold red", "review": "bold yellow"}
_OUTCOME_STYLES = {
    RunOutcome.REPAIRED: "bold green",
    RunOutcome.NO_FAILURES: "bold green",
    RunOutcome.NEEDS_REVIEW: "bold yellow",
    RunOutcome.FLAKY: "bold yellow",
    RunOutcome.NOT_REPRODUCED: "bold yellow",
    RunOutcome.GAVE_UP: "bold yellow",
    RunOutcome.STOPPED: "bold red",
}
_DIFF_STYLES = {
    LineKind.FILE: "bold",
    LineKind.META: "dim",
    LineKind.HUNK: "cyan",
    LineKind.ADDED: "green",
    LineKind.REMOVED: "red",
    LineKind.CONTEXT: "",
}


class LiveView:
    """Implements Recorder. Context manager. On a terminal a panel that says what runs now, with the lines that stay
    above it; elsewhere those lines alone, one for each event that matters, with the seconds since the start.

    console: writes to stderr. verbose: a line for every event.
    """

    def __init__(self, console: Console, clock: Clock, *, verbose: bool = False) -> None:
        self._console = console
        self._clock = clock
        self._verbose = verbose
        self._progress = Progress()
        self._began = self._step_began = clock.monotonic()
        self._events = 0
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        self._events += 1
        before = self._progress.doing
        lines = self._progress.feed(kind, data, verbose=self._verbose)
        now = self._clock.monotonic()
        if self._progress.doing != before:
            self._step_began = now
        for line in lines:
            self._print(line, now)
        return self._events

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._panel,
                refresh_per_second=_REFRESH_PER_SECOND,
                transient=True,
                redirect_stdout=False,  # results on stdout are not the view's to touch
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, line: str, now: float) -> None:
        stamp = f"{now - self._began:6.1f} s  "
        style = next((style for sign, style in _SIGN_STYLES.items() if line.startswith(f"  {sign} ")), "")
        self._console.print(Text(stamp, "dim").append(line, style), soft_wrap=True)

    def _panel(self) -> RenderableType:
        progress = self._progress
        now = self._clock.monotonic()
        self._spinner.update(text=Text(f"{progress.doing or 'working'}  {duration(now - self._step_began)}"))
        lines: list[RenderableType] = [self._spinner]
        if progress.thought:
            lines.append(Text(f"  … {progress.thought}", "dim italic", no_wrap=True, overflow="ellipsis"))
        if gates := _gate_strip(progress.gates):
            lines.append(gates)
        foot = " · ".join(filter(None, (progress.where(), duration(now - self._began), progress.spent())))
        lines.append(Text(foot, "dim"))
        return Panel(Group(*lines), title=Text("grokfix"), title_align="left", border_style="dim")


_SIGN_STYLES = {"✓": "green", "✗": "red", "!": "yellow"}


def _gate_strip(gates: dict[str, str]) -> Text | None:
    if not gates:
        return None
    strip = Text()
    known = [name.value for name in GateName if name not in FURTHER]
    for name in [*known, *(name for name in list(gates) if name not in known)]:
        status = gates.get(name, "")
        strip.append(f"{mark(status) if status else '·'} {name}  ", _STATUS_STYLES.get(status, "dim"))
    return strip


# --- the closing summary --------------------------------------------------------------------------------------------


def summary(result: Result, console: Console, directory: Path, *, applied: bool = False) -> None:
    """Print what came of a run, for somebody tired: outcome, cause, diff, gates, where everything lies, what to do.

    directory: the run's output folder. applied: the patch is in the user's work tree already.
    """
    for part in _parts(result, directory, applied):
        console.print(part, soft_wrap=isinstance(part, Text))
        console.print()


def _parts(result: Result, directory: Path, applied: bool) -> Iterable[RenderableType]:
    yield _headline(result)
    if result.message:
        yield Text(log(bounded(result.message, 2_000)))
    if result.sandbox is not None and not result.sandbox.isolated:
        yield Text("Not a sandbox: the tests ran on this machine itself.", "yellow")
    several = len(result.repairs) > 1
    for number, repair in enumerate(result.repairs, 1):
        if several:
            head = f"{number} of {len(result.repairs)}: {outcome_words(repair.outcome)}"
            yield Text(head, _OUTCOME_STYLES[repair.outcome])
        yield from _repair(repair, result)
    yield _figures(result)
    yield _files(result, directory)
    yield _next_step(result, directory, applied)


def _labelled(label: str, text: str) -> Text:
    return Text().append(label, "bold").append(text)


def _headline(result: Result) -> Text:
    text = Text().append(outcome_words(result.outcome), _OUTCOME_STYLES[result.outcome])
    reasons = dict.fromkeys(each for each in (result.reason, *(one.reason for one in result.repairs)) if each)
    if reasons:
        text.append(f" ({'; '.join(reason_words(each) for each in reasons)})")
    return text


def _repair(repair: RepairResult, result: Result) -> Iterable[RenderableType]:
    if repair.targets:
        more = f" and {len(repair.targets) - 1} more" if len(repair.targets) > 1 else ""
        text = _labelled("Failing  ", log(one_line(repair.targets[0].node_id)) + more)
        if repair.exception:
            text.append(f"\n         {log(one_line(f'{repair.exception}: {repair.failure_message}'))}", "dim")
        yield text
    if repair.message and repair.message != result.message:
        yield Text(log(bounded(repair.message, 2_000)))
    if repair.root_cause:
        heading = "Cause  " if repair.patch is not None else "Suspected cause  "
        yield _labelled(heading, log(bounded(repair.root_cause, 3_000)))
    if repair.patch is not None:
        yield _diff(repair.patch)
        yield _proof(repair)
        if repair.flaky is not None and (command := provoking(repair.flaky)):
            yield _labelled("Provoke it with  ", log(command))
    if repair.gates:
        yield _gates(repair.gates)
    if repair.before is not None:
        yield _suite(repair.before, repair.after)
    if questions := [each for each in repair.objections if each.grade is not Grade.ALLOWED]:
        text = Text().append("Look at this before you merge\n", "bold yellow")
        for each in questions:
            place = each.path + (f":{each.line}" if each.line else "")
            text.append(f"  {log(one_line(place))}: {log(one_line(each.message, 400))}\n")
        text.right_crop(1)
        yield text
    if repair.patch is None and repair.attempts:
        text = _labelled("Tried  ", plural(len(repair.attempts), "attempt"))
        for attempt in repair.attempts[-5:]:
            why = log(one_line(attempt.message or attempt.root_cause, 300))
            text.append(f"\n  {attempt.number}. {attempt.verdict}: {why}")
        yield text


def _diff(patch: str) -> Text:
    text = Text()
    for kind, line in diff_lines(bounded(patch, _DIFF_CHARACTERS, whole="fix.patch")):
        text.append(log(line) + "\n", _DIFF_STYLES[kind])
    text.right_crop(1)
    return text


def _proof(repair: RepairResult) -> Text:
    if repair.new_test is None:
        return _labelled("Proof  ", f"the existing test only. {log(bounded(repair.why_no_test, 600))}".rstrip())
    names = ", ".join(log(one_line(each.node_id)) for each in repair.new_tests[:3]) or log(repair.new_test.path)
    says = log(bounded(repair.new_test.explanation, 1_000))
    return _labelled("Proof  ", f"new test {names}" + (f": {says}" if says else ""))


def _gates(gates: Sequence[Gate]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="bold")
    for head in ("Gate", "Result", "What was seen"):
        table.add_column(Text(head), no_wrap=head != "What was seen", overflow="fold")
    for gate in gates:
        status = Text(f"{mark(gate.status)} {gate.status.replace('_', ' ')}", _STATUS_STYLES.get(gate.status, "dim"))
        table.add_row(Text(gate.name), status, Text(log(one_line(gate.evidence, 400))))
    return table


def _suite(before: Totals, after: Totals | None) -> Text:
    text = _labelled("Suite  ", f"before: {_counts(before)}")
    return text if after is None else text.append(f"; after: {_counts(after)}")


def _counts(totals: Totals) -> str:
    named = (("failed", totals.failed), ("errors", totals.errors), ("skipped", totals.skipped), ("flaky", totals.flaky))
    return ", ".join([f"{totals.passed:,} passed", *(f"{number:,} {name}" for name, number in named if number)])


def _figures(result: Result) -> Text:
    stages = ", ".join(f"{log(one_line(stage, 40))} {duration(each)}" for stage, each in result.seconds.items())
    total = duration(sum(result.seconds.values()))
    model = ""
    if result.usage.requests:
        served, asked = log(one_line(result.served_model, 80)), log(one_line(result.model, 80))
        model = f"; model {served or asked}" if served or asked else ""
        model += f" (asked for {asked})" if served and asked and served != asked else ""
    return Text(f"{total}{f' ({stages})' if stages else ''}; {spent(result.usage)}{model}", "dim")


_CONTENTS = {
    "fix.patch": "the fix",
    "pr.md": "the report, ready to paste into a pull request",
    "trace.html": "the whole run, for a browser",
    "trace.jsonl": "the whole run, for programs",
    "result.json": "this summary, for programs",
}


def _files(result: Result, directory: Path) -> Text:
    text = _labelled("Everything is in ", log(str(directory)))
    for name, what in _CONTENTS.items():
        if (directory / name).exists():
            text.append(f"\n  {name:<12} {what}")
    for number, repair in enumerate(result.repairs, 1):
        if result.patch is None and repair.patch is not None:
            text.append(f"\n  {number}/{'':<10} the fix of failure {number} alone")
    return text


def _next_step(result: Result, directory: Path, applied: bool) -> Text:
    return _labelled("Next  ", log(_advice(result, directory, applied)))


def _advice(result: Result, directory: Path, applied: bool) -> str:
    patch = f"git apply {shlex.quote(str(directory / 'fix.patch'))}"
    if applied:
        return "the fix is in your work tree: read it with `git diff`, take it back with `git apply -R` on fix.patch."
    if result.patch is None and any(repair.patch is not None for repair in result.repairs):
        return "the fixes do not combine: apply one, then run grokfix again for the rest."
    match result.outcome:
        case RunOutcome.REPAIRED:
            return patch
        case RunOutcome.NEEDS_REVIEW:
            return f"read what is marked above; if you agree: {patch}"
        case RunOutcome.NO_FAILURES:
            return "nothing to do."
        case RunOutcome.FLAKY:
            return "find out what it depends on: grokfix triage"
        case RunOutcome.NOT_REPRODUCED:
            return (
                "compare this environment with the one where it fails (versions, services, order of tests), "
                "or give its report with --junit or --log."
            )
        case RunOutcome.GAVE_UP | RunOutcome.STOPPED if result.patch is not None:
            return f"part of it is fixed: {patch}"
        case RunOutcome.GAVE_UP:
            return (
                "read the suspected cause and the attempts; a --hint, more --max-minutes or another --model may help."
            )
        case RunOutcome.STOPPED:
            return "remove what stopped it and run the same command again; the trace says how far it came."
