"""Two traces of one run, step by step: where the second goes another way than the first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, record, records, text, texts
from bot.replay.same import same_texts, short_diff
from bot.trace.read import Event, Trace

_Data = Mapping[str, JsonValue]
_Lane = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a run decided or saw. decision: what it did; else what it was told.

    name: "attempt 1, gate green". event: its number in its trace. parts: name of a text → text, what is compared.
    """

    name: str
    event: int
    decision: bool
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two runs part. event: in the recorded trace, None where it has no such step. part: which text of the step,
    "" where one of the two runs lacks the step. diff: some lines, "- " recorded, "+ " now; untrusted."""

    step: str
    event: int | None
    decision: bool
    part: str
    diff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """steps: of the recorded run. exact: steps that are the same to the letter; alike: but for times, addresses and
    folders. outcome: of the whole run, recorded and now, "" where a trace was cut off before."""

    steps: int
    exact: int
    alike: int
    differences: tuple[Difference, ...]
    outcome: tuple[str, str]

    @property
    def same_decisions(self) -> bool:
        """Whether the second run did all that the first did, and nothing else."""
        return self.outcome[0] == self.outcome[1] and not any(each.decision for each in self.differences)


def compare(recorded: Trace, now: Trace) -> Comparison:
    """Compare in the order of the recorded run: what was decided in each repair, and each conversation, with its like.

    The first step that one of the two lacks ends the comparison of what follows it there.
    """
    first, second = _steps(recorded), _steps(now)
    exact = alike = 0
    found: list[tuple[int, Difference]] = []
    for lane in dict.fromkeys((*first, *second)):
        for one, other in zip_longest(first.get(lane, ()), second.get(lane, ())):
            if one is None or other is None or one.name != other.name:
                found.append((_position(one, other, recorded), _parted(one, other)))
                break
            differing = [_differing(one, name, told, seen) for name, told, seen in _unequal(one, other)]
            found += [(one.event, each) for each in differing]
            if not differing:
                same = one.parts == other.parts
                exact, alike = exact + same, alike + (not same)
    found.sort(key=lambda each: each[0])
    total = sum(map(len, first.values()))
    differences = tuple(difference for _, difference in found)
    return Comparison(total, exact, alike, differences, (_outcome(recorded), _outcome(now)))


def _position(one: Step | None, other: Step | None, recorded: Trace) -> int:
    """Where a step stands in the order of the recorded run; what only the replay has comes after, in its own order."""
    if one is not None:
        return one.event
    return len(recorded.events) + (0 if other is None else other.event)


def _unequal(one: Step, other: Step) -> Iterator[tuple[str, str, str]]:
    told, seen = dict(one.parts), dict(other.parts)
    for name in dict.fromkeys((*told, *seen)):
        if not same_texts(told.get(name, ""), seen.get(name, "")):
            yield name, told.get(name, ""), seen.get(name, "")
            return  # the first text that differs explains the others


def _differing(step: Step, part: str, told: str, seen: str) -> Difference:
    return Difference(step.name, step.event, step.decision, part, short_diff(told, seen))


def _parted(one: Step | None, other: Step | None) -> Difference:
    told = "the end of what is recorded" if one is None else one.name
    seen = "the end of the replay" if other is None else other.name
    at = one or other
    assert at is not None
    return Difference(at.name, None if one is None else one.event, True, "", (f"- {told}", f"+ {seen}"))


def _outcome(trace: Trace) -> str:
    ends = [event.data for event in trace.of_kind(EventKind.OUTCOME) if count(event.data, "repair") is None]
    return " ".join(filter(None, (text(ends[-1], "outcome"), text(ends[-1], "reason")))) if ends else ""


# --- steps ----------------------------------------------------------------------------------------------------------


def _steps(trace: Trace) -> dict[_Lane, list[Step]]:
    lanes: dict[_Lane, list[Step]] = {}
    counts: dict[tuple[_Lane, str], int] = {}
    conversations: dict[tuple[int, str], int] = {}
    for event in trace.events:
        if event.kind == EventKind.OUTCOME and count(event.data, "repair") is None:
            continue  # told apart by the comparison as a whole
        described = _describe(event)
        if described is None:
            continue
        repair, talk = count(event.data, "repair") or 0, text(event.data, "conversation")
        lane = (repair, conversations.setdefault((repair, talk), len(conversations) + 1) if talk else 0)
        name, decision, parts = described
        if event.kind in (EventKind.REQUEST, EventKind.TOOL_CALL, EventKind.TOOL_RESULT):
            number_of = counts[lane, event.kind] = counts.get((lane, event.kind), 0) + 1
            name = name.replace("#", str(number_of), 1)
        where = f"repair {repair}, " if repair else ""
        lanes.setdefault(lane, []).append(Step(where + name, event.sequence, decision, tuple(parts)))
    return lanes


def _describe(event: Event) -> tuple[str, bool, list[tuple[str, str]]] | None:
    """Name of the step with # for its number, whether it is a decision, its texts; None for what is no step."""
    data = event.data
    attempt = f"attempt {count(data, 'attempt') or '?'}"
    match event.kind:
        case EventKind.BASE:
            counts = f"{count(data, 'tests')} tests, {count(data, 'failed')} failed"
            return "base run", False, [("result", counts), ("flaky", _lines(texts(data, "flaky")))]
        case EventKind.EVIDENCE:
            clusters = records(data, "clusters")
            failing = [test for each in clusters for test in texts(each, "targets")]
            said = [f"{text(each, 'exception')}: {text(each, 'message')}" for each in clusters]
            return "failures", False, [("failing tests", _lines(failing)), ("messages", _lines(said))]
        case EventKind.LOCATIONS:
            places = [f"{text(each, 'path')}:{count(each, 'line')}" for each in records(data, "locations")]
            return "locations", False, [("places", _lines(places))]
        case EventKind.REQUEST:
            told = [_message(at, each) for at, each in enumerate(records(data, "messages"), 1)]
            return "request #", False, [("tools", _lines(texts(data, "tools"))), *told]
        case EventKind.TOOL_CALL:
            return f"tool call #: {text(data, 'name')}", True, [("arguments", text(data, "arguments"))]
        case EventKind.TOOL_RESULT:
            good = "answered" if data.get("ok") is True else "refused"
            return f"tool result #: {text(data, 'name')}", False, [("kind", good), ("result", text(data, "result"))]
        case EventKind.PROPOSAL:
            test = json.dumps(record(data, "new_test"), sort_keys=True)
            fields = [(name, text(data, name)) for name in ("engine", "root_cause", "patch")]
            return f"{attempt}, proposal", True, [*fields, ("new test", test)]
        case EventKind.VET:
            said = [
                f"{text(each, 'grade')} {text(each, 'rule')} {text(each, 'path')}"
                for each in records(data, "objections")
            ]
            return f"{attempt}, vetting", True, [("objections", _lines(said))]
        case EventKind.GATE:
            name = f"{attempt}, gate {text(data, 'name')}"
            return name, True, [("status", text(data, "status")), ("patch", text(data, "patch_sha256"))]
        case EventKind.ATTEMPT:
            return f"{attempt}, verdict", True, [("verdict", text(data, "verdict"))]
        case EventKind.OUTCOME:
            fields = [(name, text(data, name)) for name in ("outcome", "reason", "patch")]
            return "outcome", True, fields
        case _:
            return None


def _message(at: int, message: _Data) -> tuple[str, str]:
    return f"new message {at} ({text(message, 'role') or 'no role'})", text(message, "content")


def _lines(values: tuple[str, ...] | list[str]) -> str:
    return "\n".join(values)
