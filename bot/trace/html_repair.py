"""What became of each failure: the fix with its evidence, the attempts, the conversation, where time and money went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, number, record, records, text, texts
from bot.publish.untrusted import html, one_line
from bot.publish.words import GATES, duration, outcome_words, plural, status_words
from bot.result import RunOutcome
from bot.trace.html_conversation import Step, conversation, steps_of
from bot.trace.html_diff import HunkNote, side_by_side
from bot.trace.markup import prose, table, text_block, tone, toned
from bot.trace.read import Event, Trace
from bot.verify.types import GateName, GateStatus

_SHOWN_REPAIRS = 20
_SHOWN_LINKS = 3

_Data = Mapping[str, JsonValue]


def repairs(trace: Trace) -> Iterator[str]:
    """A section a failure."""
    clusters = records(_first(trace.events, EventKind.EVIDENCE), "clusters")
    found: dict[int, list[Event]] = {number: [] for number in range(1, len(clusters) + 1)}
    current: int | None = None
    for event in trace.events:
        named = count(event.data, "repair")
        if named is None and event.kind == EventKind.OUTCOME:
            continue  # the whole run's
        current = named if named is not None else current
        if current is not None:
            found.setdefault(current, []).append(event)
    for repair, events in sorted(found.items())[:_SHOWN_REPAIRS]:
        yield from _repair(repair, clusters[repair - 1] if 0 < repair <= len(clusters) else {}, events)


def _repair(repair: int, cluster: _Data, events: Sequence[Event]) -> Iterator[str]:
    end = next((event.data for event in reversed(events) if event.kind == EventKind.OUTCOME), None)
    outcome = text(end, "outcome") if end else ""
    words = html(outcome_words(one_line(outcome, 60))) if outcome else "not finished"
    yield f'<section><h2 class="stop" tabindex="-1">Failure {repair}: <span class="{tone(outcome)}">{words}</span></h2>'
    if message := f"{text(cluster, 'exception')}: {text(cluster, 'message')}".strip(": "):
        yield f"<p><code>{html(one_line(message, 400))}</code></p>"
    targets = texts(cluster, "targets")
    if targets:
        yield f"<ul>{''.join(f'<li><code>{html(one_line(each, 300))}</code></li>' for each in targets[:20])}</ul>"
        if len(targets) > 20:
            yield f'<p class="soft">and {len(targets) - 20:,} more</p>'
    if end and (said := text(end, "message")):
        yield prose(said)
    attempts, steps = _attempts(events), steps_of(events)
    final = _last(attempts)
    fix = text(end, "patch") if end else ""
    tests = records(end, "tests") if end else ()
    if cause := text(_first(final, EventKind.PROPOSAL), "root_cause"):
        yield f'<h3 id="cause-{repair}">{"Root cause" if fix else "Suspected cause"}</h3>{prose(cause)}'
    yield from _locations(events)
    if fix:
        heading = "The fix" if outcome == RunOutcome.REPAIRED else "A possible fix"
        shown = side_by_side(fix, f"fix-{repair}", _why(f"cause-{repair}", cause, f"test-{repair}", tests))
        yield f"<h3>{heading}</h3>{shown}"
        gates = [gate for gate in _data(events, EventKind.GATE) if text(gate, "name") == GateName.REPRODUCED][:1]
        gates += [gate for gate in _data(final, EventKind.GATE) if text(gate, "name") != GateName.REPRODUCED]
        yield f"<h3>Gates</h3>{_gates(gates)}"
    if tests:
        yield "<h3>Tests before and after</h3>"
        rows = (
            (f'<code id="test-{repair}-{at}">{html(one_line(text(each, "id"), 300))}</code>', *_change(each))
            for at, each in enumerate(tests)
        )
        yield table(("Test", "Before", "After"), rows, len(tests))
    if attempts:
        yield f"<h3>{plural(len(attempts), 'attempt').capitalize()}</h3>"
    for attempt, own in attempts.items():
        yield from _attempt(f"{repair}-{attempt}", attempt, own, fix, opened=not fix and own is final)
    if steps:
        yield f"<h3>The conversation: {plural(len(steps), 'step')}</h3>"
        yield from conversation(steps, f"step-{repair}")
    yield _spent(repair, steps, events)
    yield "</section>"


def _stopped_at(events: Sequence[Event]) -> str:
    """HTML that says which gate an attempt failed and what was seen there; "" where it failed none."""
    failed = next((gate for gate in _data(events, EventKind.GATE) if text(gate, "status") == GateStatus.FAILED), None)
    if failed is None:
        return ""
    name, seen = one_line(text(failed, "name"), 40), one_line(text(failed, "evidence"), 200)
    return f'Came to: <span class="bad">{html(name)} failed</span>: {html(seen)}'


def _why(cause_id: str, cause: str, test_id: str, tests: Sequence[_Data], came_to: str = "") -> HunkNote:
    """What a hunk is there for, and which tests it changed: those of its own file, else those of files outside of it.

    A patch is judged whole, so its hunks share what it changed; a hunk that changes nothing is dropped by a gate.
    """
    changed = [
        (at, text(each, "id"), each) for at, each in enumerate(tests) if text(each, "before") != text(each, "after")
    ]

    def note(path: str) -> str:
        own = [each for each in changed if each[1].partition("::")[0] == path] or changed
        links = [
            f'<a href="#{test_id}-{at}"><code>{html(one_line(name, 120))}</code></a> {" → ".join(_change(each))}'
            for at, name, each in own[:_SHOWN_LINKS]
        ]
        if len(own) > _SHOWN_LINKS:
            links.append(f"and {len(own) - _SHOWN_LINKS:,} more")
        parts = [f'Why: <a href="#{cause_id}">{html(one_line(cause, 140))}</a>'] if cause else []
        parts += [f"Changes: {', '.join(links)}"] if links else []
        parts += [came_to] if came_to else []
        return f'<p class="why">{"<br>".join(parts)}</p>' if parts else ""

    return note


def _spent(repair: int, steps: Sequence[Step], events: Sequence[Event]) -> str:
    """Where time and money went: every request, every run of tests."""
    rows = [
        (
            step.request.seconds,
            f'<a href="#step-{repair}-{at}">Step {at}</a>',
            duration(step.seconds) if step.seconds is not None else "no reply",
            html(step.cost),
            html(step.tokens),
        )
        for at, step in enumerate(steps, 1)
    ]
    for event in events:
        if event.kind == EventKind.SANDBOX_RUN and text(event.data, "phase") == "finished":
            took = number(event.data, "box_seconds") or number(event.data, "seconds")
            name = html(one_line(text(event.data, "purpose"), 80)) or "a run"
            tests = count(event.data, "tests")
            what = "" if tests is None else plural(tests, "test")
            rows.append((event.seconds, name, duration(took) if took is not None else "?", "", what))
    if not rows:
        return ""
    ordered = [cells for _, *cells in sorted(rows, key=lambda row: row[0])]
    shown = table(("What", "Took", "Cost", "How much"), ordered, len(ordered))
    return f'<details class="stop"><summary>Where time and money went</summary>{shown}</details>'


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


def _attempt(name: str, attempt: int, events: Sequence[Event], fix: str, *, opened: bool) -> Iterator[str]:
    proposal, verdict = _first(events, EventKind.PROPOSAL), _first(events, EventKind.ATTEMPT)
    word = one_line(text(verdict, "verdict"), 40) or "not finished"
    engine = f" ({html(one_line(text(proposal, 'engine'), 40))})" if text(proposal, "engine") else ""
    yield (
        f'<details class="attempt stop" id="attempt-{name}"{" open" if opened else ""}>'
        f"<summary>Attempt {attempt}{engine}: "
        f'<span class="{tone(word)}">{html(word)}</span></summary>'
    )
    if message := text(verdict, "message"):
        yield prose(message)
    if cause := text(proposal, "root_cause"):
        yield f"<h3>Root cause</h3>{prose(cause)}"
    if patch := text(proposal, "patch"):
        why = _why(f"attempt-{name}", cause, "", (), _stopped_at(events))
        same = patch == fix
        shown = (
            '<p class="soft">The fix above, word for word.</p>' if same else side_by_side(patch, f"patch-{name}", why)
        )
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
