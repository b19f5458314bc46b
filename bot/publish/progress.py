"""What a run is doing now, kept up to date from its events, and the line that each event is worth. No terminal here."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.ports import EventKind, JsonValue, Usage
from bot.publish.fields import count, flag, number, records, text, texts
from bot.publish.untrusted import bounded, log, one_line
from bot.publish.words import OUTCOMES, duration, money, outcome_words, plural, reason_words
from bot.verify.types import GateStatus

_MARKS: Mapping[str, str] = {
    GateStatus.PASSED: "✓",
    GateStatus.FAILED: "✗",
    GateStatus.REVIEW: "!",
    GateStatus.NOT_APPLICABLE: "–",
    GateStatus.NOT_RUN: "·",
}


_THOUGHT = 120  # characters
_THOUGHT_LINE = 100
_THOUGHT_PIECE = 20_000


@dataclass(slots=True)
class Progress:
    """State of a run as a watcher sees it. `doing` is a phrase, "" between two steps; all texts are safe to print."""

    doing: str = "starting"
    repair: int = 0
    repairs: int = 0
    attempt: int = 0
    max_attempts: int = 0
    gates: dict[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    thought: str = ""
    """The end of what the model thinks aloud, "" while it does not."""
    _unsaid: str = ""
    _asked: bool = False

    def feed(self, kind: EventKind, data: Mapping[str, JsonValue], *, verbose: bool = False) -> tuple[str, ...]:
        """Take an event in; the lines it is worth in a log, none for most unless `verbose`."""
        self.repair = count(data, "repair") or self.repair
        match kind:
            case EventKind.RUN:
                return self._run(data)
            case EventKind.EVIDENCE:
                return self._evidence(data, verbose)
            case EventKind.NOTE:
                self.doing = ""
                return (_line(data, "text"),)
            case EventKind.BASE:
                self.doing = ""
                return (_tests("base run", data),)
            case EventKind.LOCATIONS:
                return self._locations(data, verbose)
            case EventKind.REQUEST:
                self._asked = True
                self.doing = f"asking {_line(data, 'model') or 'the model'}"
                return (self.doing,) if verbose else ()
            case EventKind.STREAM:
                return self._stream(data, verbose)
            case EventKind.REPLY:
                rest = tuple(self._thoughts("\n")) if verbose else ()
                self.doing = self.thought = ""
                return (*rest, *self._reply(data)) if verbose else ()
            case EventKind.TOOL_CALL:
                self.doing = f"the model uses {_line(data, 'name') or 'a tool'}"
                return (self.doing,) if verbose else ()
            case EventKind.TOOL_RESULT:
                self.doing = ""
                return ()
            case EventKind.PROPOSAL:
                return self._proposal(data)
            case EventKind.APPLIED:
                return (f"  applied to {', '.join(map(_safe, texts(data, 'files')[:5]))}",) if verbose else ()
            case EventKind.VET:
                return tuple(self._objections(data, verbose))
            case EventKind.SANDBOX_RUN:
                return self._sandbox_run(data, verbose)
            case EventKind.GATE:
                return self._gate(data)
            case EventKind.ATTEMPT:
                return self._attempt(data)
            case EventKind.USAGE:
                self.usage += _usage(data)
                return (f"so far {self.spent()}",) if verbose else ()
            case EventKind.OUTCOME:
                return self._outcome(data)

    def where(self) -> str:
        """ "repair 1 of 2 · attempt 2 of 5", "" before the first."""
        parts = []
        if self.repairs > 1 and self.repair:
            parts.append(f"repair {self.repair} of {self.repairs}")
        if self.attempt:
            parts.append(f"attempt {self.attempt}" + (f" of {self.max_attempts}" if self.max_attempts else ""))
        return " · ".join(parts)

    def spent(self) -> str:
        """ "$0.0123, 4 requests"; before the first is charged that it waits, or that no model was asked."""
        if not self.usage.requests:
            return "first request" if self._asked else "no model asked"
        return f"{money(self.usage.cost_usd)}, {plural(self.usage.requests, 'request')}"

    def _run(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        self.max_attempts = count(data, "max_attempts") or 0
        self.doing = "preparing"
        sandbox = _line(data, "sandbox") or "unknown"
        if "isolated" in data and not flag(data, "isolated"):
            sandbox += " (not isolated: the tests run on this machine)"
        model = f"model {_line(data, 'model')}, " if text(data, "model") else ""
        version = _line(data, "version")
        engine = f"engine {_line(data, 'engine')}, " if text(data, "engine") else ""
        return (f"grokfix {version}: {engine}{model}sandbox {sandbox}",)

    def _evidence(self, data: Mapping[str, JsonValue], verbose: bool) -> tuple[str, ...]:
        clusters = records(data, "clusters")
        self.repairs = len(clusters)
        failing = sum(len(texts(each, "targets")) for each in clusters)
        lines = [f"{plural(failing, 'failing test')}, {plural(len(clusters), 'cause')} to find"]
        for cluster in clusters[:20] if verbose else clusters[:3]:
            targets = texts(cluster, "targets")
            more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
            name = _safe(targets[0]) if targets else "?"
            lines.append(f"  {name}{more}: {_line(cluster, 'exception')}: {_line(cluster, 'message')}")
        return tuple(lines)

    def _locations(self, data: Mapping[str, JsonValue], verbose: bool) -> tuple[str, ...]:
        self.doing = ""
        lines = []
        for each in records(data, "locations")[: 5 if verbose else 1]:
            place = f"{_line(each, 'path')}:{count(each, 'line') or '?'}"
            lines.append(f"suspect: {place} {_line(each, 'symbol')} ({_line(each, 'reason')})")
        return tuple(lines)

    def _stream(self, data: Mapping[str, JsonValue], verbose: bool) -> tuple[str, ...]:
        part, piece = text(data, "part"), text(data, "text")
        match part:
            case "reasoning":
                self.doing = "the model thinks"
                self.thought = log(one_line((self.thought + piece)[-_THOUGHT:], _THOUGHT))
                return tuple(self._thoughts(piece)) if verbose else ()
            case "restart":
                self.doing, self.thought, self._unsaid = "the stream broke, asking again", "", ""
                return (self.doing,)
            case _:
                self.doing = "the model writes"
                rest = tuple(self._thoughts("\n")) if verbose else ()
                self.thought = ""
                return rest

    def _thoughts(self, piece: str) -> Iterator[str]:
        """What was thought, in lines of about a terminal's width; an unfinished one waits for its rest."""
        self._unsaid += bounded(piece, _THOUGHT_PIECE, whole="the trace")
        *whole, self._unsaid = self._unsaid.split("\n")
        while len(self._unsaid) > _THOUGHT_LINE:
            cut = self._unsaid.rfind(" ", 0, _THOUGHT_LINE)
            cut = cut if cut > 0 else _THOUGHT_LINE
            whole.append(self._unsaid[:cut])
            self._unsaid = self._unsaid[cut:].lstrip(" ")
        for line in whole:
            for wrapped in textwrap.wrap(line, _THOUGHT_LINE):
                yield f"  … {log(one_line(wrapped, _THOUGHT_LINE))}"

    def _reply(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        seconds = number(data, "seconds")
        took = f" in {duration(seconds)}" if seconds is not None else ""
        return (f"reply from {_line(data, 'model') or 'the model'}{took}: {len(text(data, 'text')):,} characters",)

    def _proposal(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        attempt = count(data, "attempt") or self.attempt + 1
        self.attempt = attempt
        self.gates = {name: status for name, status in self.gates.items() if name == "reproduced"}
        return (f"{self.where()} ({_line(data, 'engine')}): {_line(data, 'root_cause')}",)

    def _objections(self, data: Mapping[str, JsonValue], verbose: bool) -> Iterator[str]:
        if verbose and not records(data, "objections"):
            yield "  no objection"
        for each in records(data, "objections")[:20]:
            if verbose or text(each, "grade") != "allowed":
                grade, path, rule = (_line(each, name) for name in ("grade", "path", "rule"))
                yield f"  {grade}: {path}: {_line(each, 'message')} [{rule}]"

    def _sandbox_run(self, data: Mapping[str, JsonValue], verbose: bool) -> tuple[str, ...]:
        purpose = _line(data, "purpose") or "a run"
        if text(data, "phase") == "started":
            self.doing = f"running: {purpose}"
            return (self.doing,) if verbose else ()
        self.doing = ""
        if flag(data, "timed_out") or flag(data, "oom_killed"):
            why = "stopped at its time limit" if flag(data, "timed_out") else "killed for its memory"
            return (f"  {_tests(purpose, data)}; {why}",)
        problem = f"; {_line(data, 'problem')}" if text(data, "problem") else ""
        return (f"  {_tests(purpose, data)}{problem}",) if verbose else ()

    def _gate(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        name, status = _line(data, "name"), _line(data, "status")
        self.gates[name] = status
        return (f"  {mark(status)} {name}: {_line(data, 'evidence')}",)

    def _attempt(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        self.doing = ""
        message = _line(data, "message")
        return (f"{self.where()}: {_line(data, 'verdict')}" + (f": {message}" if message else ""),)

    def _outcome(self, data: Mapping[str, JsonValue]) -> tuple[str, ...]:
        self.doing = ""
        self.attempt = 0
        repair = count(data, "repair")
        self.gates = {}
        which = f"repair {repair}" if repair else "the run"
        reason = f" ({reason_words(_line(data, 'reason'))})" if text(data, "reason") else ""
        # A session that repairs nothing (triage, testgen) has no outcome of a repair: its message says what it came to.
        said = outcome_words(_line(data, "outcome")) if text(data, "outcome") in OUTCOMES else _line(data, "message")
        return (f"{which}: {said}{reason}",)


def mark(status: str) -> str:
    """One character for a gate's status."""
    return _MARKS.get(status, "?")


def _safe(value: str) -> str:
    return log(one_line(value, 160))


def _line(data: Mapping[str, JsonValue], name: str) -> str:
    return _safe(text(data, name))


def _tests(what: str, data: Mapping[str, JsonValue]) -> str:
    parts = []
    if (tests := count(data, "tests")) is not None:
        parts.append(plural(tests, "test"))
    if (failed := count(data, "failed")) is not None:
        parts.append(f"{failed:,} failed")
    if (seconds := number(data, "seconds")) is not None:
        parts.append(duration(seconds))
    return f"{what}: {', '.join(parts) or 'no figures'}"


def _usage(data: Mapping[str, JsonValue]) -> Usage:
    return Usage(
        count(data, "requests") or 0,
        count(data, "prompt_tokens") or 0,
        count(data, "cached_tokens") or 0,
        count(data, "completion_tokens") or 0,
        count(data, "reasoning_tokens") or 0,
        number(data, "cost_usd"),
        number(data, "seconds") or 0.0,
    )
