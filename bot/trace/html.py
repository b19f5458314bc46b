"""A trace as one self-contained page: no script, no network, readable from a torn trace too."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, flag, number, record, records, text, texts
from bot.publish.progress import Progress
from bot.publish.untrusted import html, one_line
from bot.publish.words import GATES, duration, outcome_words, plural, reason_words, status_words
from bot.result import RunOutcome
from bot.trace.markup import diff, prose, table, text_block, tone, toned
from bot.trace.read import Event, Trace
from bot.verify.types import GateName

_SHOWN_EVENTS = 4_000
_SHOWN_REPAIRS = 20

_Data = Mapping[str, JsonValue]


def render_trace(trace: Trace) -> str:
    """The page as HTML text. Every string of the trace is neutralised; long parts are cut, and each cut is said."""
    style = (resources.files("bot.trace") / "viewer.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    headline = _headline(trace)
    body = "".join([*_top(trace, headline), *_repairs(trace), *_timeline(trace), _footer(trace)])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{html(headline)} · grokfix</title><style>{style}</style></head>\n"
        f"<body><main>{body}</main></body></html>\n"
    )


# --- the run --------------------------------------------------------------------------------------------------------


def _headline(trace: Trace) -> str:
    end = _end(trace)
    return "Cut off: the run recorded no outcome" if end is None else outcome_words(one_line(text(end, "outcome"), 60))


def _end(trace: Trace) -> _Data | None:
    """Data of the whole run's outcome, None where the trace was cut off before."""
    ends = [event.data for event in trace.of_kind(EventKind.OUTCOME) if count(event.data, "repair") is None]
    return ends[-1] if ends else None


def _top(trace: Trace, headline: str) -> Iterator[str]:
    end = _end(trace) or {}
    yield f'<header><h1 class="{tone(text(end, "outcome"))}">{html(headline)}</h1>'
    if reason := text(end, "reason"):
        yield f"<p>Reason: {html(reason_words(one_line(reason, 60)))}.</p>"
    if message := text(end, "message"):
        yield prose(message)
    run = _first(trace.events, EventKind.RUN)
    for problem in trace.problems:
        yield f'<p class="note"><b>The trace is not whole.</b> {html(problem)}.</p>'
    if "isolated" in run and not flag(run, "isolated"):
        yield '<p class="note"><b>Not a sandbox.</b> The tests ran on the machine itself.</p>'
    usage = Progress()
    for event in trace.of_kind(EventKind.USAGE):
        usage.feed(EventKind.USAGE, event.data)
    facts = {
        "Project": text(run, "path"),
        "Base commit": text(run, "commit")[:12],
        "Began": _moment(number(trace.header, "started")),
        "Took": duration(trace.events[-1].seconds) if trace.events else "",
        "Engine": text(run, "engine"),
        "Model": text(run, "model"),
        "Spent": usage.spent(),
        "Sandbox": text(run, "sandbox"),
        "Version": text(run, "version"),
    }
    items = (f"<div><dt>{name}</dt><dd>{html(one_line(value))}</dd></div>" for name, value in facts.items() if value)
    yield f"<dl>{''.join(items)}</dl></header>"


def _moment(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds is not None else ""
    except (ValueError, OverflowError, OSError):
        return ""  # a number that is no time


# --- repairs --------------------------------------------------------------------------------------------------------


def _repairs(trace: Trace) -> Iterator[str]:
    clusters = records(_first(trace.events, EventKind.EVIDENCE), "clusters")
    repairs: dict[int, list[Event]] = {number: [] for number in range(1, len(clusters) + 1)}
    current: int | None = None
    for event in trace.events:
        named = count(event.data, "repair")
        if named is None and event.kind == EventKind.OUTCOME:
            continue  # the whole run's
        current = named if named is not None else current
        if current is not None:
            repairs.setdefault(current, []).append(event)
    for repair, events in sorted(repairs.items())[:_SHOWN_REPAIRS]:
        yield from _repair(repair, clusters[repair - 1] if 0 < repair <= len(clusters) else {}, events)


def _repair(repair: int, cluster: _Data, events: Sequence[Event]) -> Iterator[str]:
    end = next((event.data for event in reversed(events) if event.kind == EventKind.OUTCOME), None)
    outcome = text(end, "outcome") if end else ""
    words = html(outcome_words(one_line(outcome, 60))) if outcome else "not finished"
    yield f'<section><h2>Failure {repair}: <span class="{tone(outcome)}">{words}</span></h2>'
    if message := f"{text(cluster, 'exception')}: {text(cluster, 'message')}".strip(": "):
        yield f"<p><code>{html(one_line(message, 400))}</code></p>"
    targets = texts(cluster, "targets")
    if targets:
        yield f"<ul>{''.join(f'<li><code>{html(one_line(each, 300))}</code></li>' for each in targets[:20])}</ul>"
        if len(targets) > 20:
            yield f'<p class="soft">and {len(targets) - 20:,} more</p>'
    if end and (said := text(end, "message")):
        yield prose(said)
    attempts = _attempts(events)
    final = _last(attempts)
    fix = text(end, "patch") if end else ""
    if cause := text(_first(final, EventKind.PROPOSAL), "root_cause"):
        yield f"<h3>{'Root cause' if fix else 'Suspected cause'}</h3>{prose(cause)}"
    yield from _locations(events)
    if fix:
        heading = "The fix" if outcome == RunOutcome.REPAIRED else "A possible fix"
        yield f"<h3>{heading}</h3>{diff(fix)}"
        gates = [gate for gate in _data(events, EventKind.GATE) if text(gate, "name") == GateName.REPRODUCED][:1]
        gates += [gate for gate in _data(final, EventKind.GATE) if text(gate, "name") != GateName.REPRODUCED]
        yield f"<h3>Gates</h3>{_gates(gates)}"
    if end and (tests := records(end, "tests")):
        yield "<h3>Tests before and after</h3>"
        rows = ((f"<code>{html(one_line(text(each, 'id'), 300))}</code>", *_change(each)) for each in tests)
        yield table(("Test", "Before", "After"), rows, len(tests))
    if attempts:
        yield f"<h3>{plural(len(attempts), 'attempt').capitalize()}</h3>"
    for attempt, own in attempts.items():
        yield from _attempt(attempt, own, fix, opened=not fix and own is final)
    yield "</section>"


def _last(attempts: Mapping[int, Sequence[Event]]) -> Sequence[Event]:
    return attempts[max(attempts)] if attempts else ()


def _data(events: Iterable[Event], kind: EventKind) -> list[_Data]:
    return [event.data for event in events if event.kind == kind]


def _first(events: Iterable[Event], kind: EventKind) -> _Data:
    return next(iter(_data(events, kind)), {})


def _locations(events: Sequence[Event]) -> Iterator[str]:
    found = [each for data in _data(events, EventKind.LOCATIONS) for each in records(data, "locations")]
    if found:
        rows = (
            (
                f"<code>{html(one_line(text(each, 'path')))}:{count(each, 'line') or '?'}</code>",
                f"<code>{html(one_line(text(each, 'symbol')))}</code>",
                f"{number(each, 'suspiciousness') or 0:.2f}",
                html(one_line(text(each, "reason"))),
            )
            for each in found[:20]
        )
        rendered = table(("Place", "Symbol", "Suspicion", "Why"), rows, len(found))
        yield f"<details><summary>Where the fault probably is</summary>{rendered}</details>"


def _change(test: _Data) -> tuple[str, str]:
    return toned(text(test, "before") or "not in this run"), toned(text(test, "after") or "not in this run")


def _attempts(events: Sequence[Event]) -> dict[int, list[Event]]:
    """Events by the attempt they name, else the one before them names; what precedes all attempts is the first's."""
    attempts: dict[int, list[Event]] = {}
    kinds = {EventKind.PROPOSAL, EventKind.VET, EventKind.GATE, EventKind.ATTEMPT}
    current = 0
    for event in events:
        if event.kind in kinds:
            current = count(event.data, "attempt") or current
            attempts.setdefault(current, []).append(event)
    unnamed = attempts.pop(0, [])
    if unnamed:
        first = min(attempts, default=1)
        attempts[first] = unnamed + attempts.get(first, [])
    return dict(sorted(attempts.items()))


def _attempt(attempt: int, events: Sequence[Event], fix: str, *, opened: bool) -> Iterator[str]:
    proposal, verdict = _first(events, EventKind.PROPOSAL), _first(events, EventKind.ATTEMPT)
    word = one_line(text(verdict, "verdict"), 40) or "not finished"
    engine = f" ({html(one_line(text(proposal, 'engine'), 40))})" if text(proposal, "engine") else ""
    yield (
        f'<details class="attempt"{" open" if opened else ""}><summary>Attempt {attempt}{engine}: '
        f'<span class="{tone(word)}">{html(word)}</span></summary>'
    )
    if message := text(verdict, "message"):
        yield prose(message)
    if cause := text(proposal, "root_cause"):
        yield f"<h3>Root cause</h3>{prose(cause)}"
    if patch := text(proposal, "patch"):
        shown = '<p class="soft">The fix above, word for word.</p>' if patch == fix else diff(patch)
        yield f"<h3>Proposed change</h3>{shown}"
    if (test := record(proposal, "new_test")) is not None:
        yield f"<h3>New test</h3><p><code>{html(one_line(text(test, 'path')))}</code></p>"
        yield prose(text(test, "explanation")) + text_block(text(test, "source"))
    if gates := _data(events, EventKind.GATE):
        yield f"<h3>Gates</h3>{_gates(gates)}"
    if objections := [
        each for event in events if event.kind == EventKind.VET for each in records(event.data, "objections")
    ]:
        rows = (
            (
                toned(text(each, "grade")),
                html(one_line(text(each, "rule"), 60)),
                f"<code>{html(one_line(text(each, 'path')))}</code>",
                html(one_line(text(each, "message"), 400)),
            )
            for each in objections
        )
        yield f"<h3>Objections</h3>{table(('Grade', 'Rule', 'Where', 'What'), rows, len(objections))}"
    yield "</details>"


def _gates(gates: Sequence[_Data]) -> str:
    rows = (
        (
            f"<b>{html(one_line(text(gate, 'name'), 40))}</b> "
            f'<span class="soft">{html(GATES.get(text(gate, "name"), ""))}</span>',
            f'<span class="status {tone(text(gate, "status"), "soft")}">'
            f"{html(status_words(one_line(text(gate, 'status'), 40)))}</span>",
            html(one_line(text(gate, "evidence"), 600)),
            f'<span class="mono">{html(" ".join(one_line(each, 24) for each in texts(gate, "run_ids")[:8]))}</span>',
        )
        for gate in gates
    )
    return table(("Gate", "Result", "What was seen", "Runs"), rows, len(gates), "gates")


# --- the timeline ---------------------------------------------------------------------------------------------------


def _timeline(trace: Trace) -> Iterator[str]:
    yield "<section><h2>Timeline</h2>"
    yield f'<p class="soft">{plural(len(trace.events), "event")}; seconds since the start.</p>'
    yield '<ol class="timeline">'
    progress = Progress()
    skipped = len(trace.events) - _SHOWN_EVENTS
    for index, event in enumerate(trace.events):
        line = _line(progress, event)
        if skipped > 0 and _SHOWN_EVENTS // 2 <= index < _SHOWN_EVENTS // 2 + skipped:
            if index == _SHOWN_EVENTS // 2:
                yield f'<li class="soft">[… {skipped:,} events are left out here; the trace has them …]</li>'
            continue
        data = json.dumps(event.data, indent=2, ensure_ascii=False)
        output = text(event.data, "output")
        yield (
            f'<li><details><summary><span class="at">{event.seconds:.2f}</span>'
            f'<span class="kind">{html(one_line(event.kind, 40))}</span>'
            f'<span class="line">{html(line)}</span></summary>'
            f"{text_block(output, tail=True) if output else ''}{text_block(data)}</details></li>"
        )
    yield "</ol></section>"


def _line(progress: Progress, event: Event) -> str:
    if event.kind not in set(EventKind.__members__.values()):
        return ""
    lines = progress.feed(EventKind(event.kind), event.data, verbose=True)
    return lines[0].strip() if lines else ""


def _footer(trace: Trace) -> str:
    return (
        f'<footer>SHA-256 of the trace: <span class="mono">{trace.sha256}</span>. Green gates make a fix plausible; '
        "a reviewer makes it correct.</footer>"
    )
