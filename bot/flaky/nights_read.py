"""Reads a night's bytes, which anybody may have written: every value's type, range and reference is held."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from bot.evidence.types import TestId
from bot.flaky.strict_json import (
    Fields,
    MalformedError,
    a_list,
    a_real,
    a_string,
    an_object,
    boolean,
    counts,
    enumerated,
    integer,
    integers,
    number,
    one_of,
    parse,
    pick,
    picks,
    rows,
    take,
    text,
)
from bot.flaky.types import (
    Cause,
    Failed,
    Finding,
    Night,
    Proof,
    Regression,
    RunRecord,
    RunSource,
    Scan,
    Shard,
    State,
    StateChange,
    Trial,
    Tried,
)
from bot.toolchains.types import PLAIN, Conditions

FORMAT = "grokfix-night/1"
LIMIT_BYTES = 64 << 20
_TESTS = 200_000
_IN_ORDERS = 10_000_000  # tests in all orders together: what ranges could blow up
_LATEST = 1e11  # seconds since the epoch: what a calendar can hold
_SHARDS = 1_000


@dataclass(slots=True)
class _Parts:
    """What was read so far."""

    tests: list[TestId] = field(default_factory=list)
    orders: list[tuple[TestId, ...]] = field(default_factory=list)
    in_orders: int = 0
    records: list[RunRecord] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    regressions: list[Regression] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    scan: Scan | None = None
    problems: list[str] = field(default_factory=list)


def read(data: bytes) -> Night:
    """The night; MalformedError for anything else."""
    if len(data) > LIMIT_BYTES:
        raise MalformedError(f"{len(data)} bytes are more than a night may have ({LIMIT_BYTES}); split it by shards")
    lines = data.split(b"\n")
    if len(lines) < 3 or lines.pop():
        raise MalformedError("it is cut short: the last line does not end")
    head = an_object(parse(lines[0], 1), "line 1")
    if head.get("format") != FORMAT:
        raise MalformedError(f"line 1 does not name the format {FORMAT}")
    parts = _Parts()
    for place, line in enumerate(lines[1:-1], 2):
        try:
            _entry(an_object(parse(line, place), "the line"), parts)
        except MalformedError as error:
            raise MalformedError(f"line {place}: {error}") from error
    if an_object(parse(lines[-1], len(lines)), "the last line") != {"end": len(lines) - 1}:
        raise MalformedError("it is cut short, or lines were added: the last line does not count what is there")
    try:
        return _night(head, parts)
    except MalformedError as error:
        raise MalformedError(f"line 1: {error}") from error


def _night(head: Fields, parts: _Parts) -> Night:
    shard, of = integers(take(head, "shard"), "shard", low=1, high=_SHARDS, count=2)
    if shard > of:
        raise MalformedError(f"shard {shard} of {of} cannot be")
    return Night(
        session=text(head, "session"),
        shard=Shard(shard, of),
        at=number(head, "at", low=0, high=_LATEST),
        commit=text(head, "commit"),
        environment=text(head, "environment"),
        records=tuple(parts.records),
        findings=tuple(parts.findings),
        regressions=tuple(parts.regressions),
        changes=tuple(parts.changes),
        scan=parts.scan,
        problems=tuple(parts.problems),
    )


def _entry(line: Fields, parts: _Parts) -> None:
    if len(line) != 1:
        raise MalformedError("there must be one thing a line")
    ((kind, value),) = line.items()
    match kind:
        case "tests":
            parts.tests.extend(map(_test_id, a_list(value, kind)))
            if len(parts.tests) > _TESTS:
                raise MalformedError(f"more than {_TESTS} tests")
        case "order":
            parts.orders.append(_order(value, parts))
        case "run":
            parts.records.append(_run(an_object(value, kind), parts))
        case "finding":
            parts.findings.append(_finding(an_object(value, kind), parts))
        case "regression":
            parts.regressions.append(_regression(an_object(value, kind), parts))
        case "change":
            parts.changes.append(_change(an_object(value, kind), parts))
        case "scan" if parts.scan is None:
            parts.scan = _scan(an_object(value, kind))
        case "problem":
            parts.problems.append(a_string(value, kind))
        case _:
            raise MalformedError(f"{kind[:40]!r} is not known, or stands twice")


def _order(value: object, parts: _Parts) -> tuple[TestId, ...]:
    order: list[TestId] = []
    for item in a_list(value, "order"):
        first, count = (item, 1) if isinstance(item, int) else integers(item, "order", count=2)
        if isinstance(first, bool) or not 0 <= first <= first + count <= len(parts.tests) or count < 1:
            raise MalformedError("an order names tests that there are not")
        parts.in_orders += count
        if parts.in_orders > _IN_ORDERS:
            raise MalformedError(f"more than {_IN_ORDERS} tests in all orders together")
        order.extend(parts.tests[first : first + count])
    return tuple(order)


def _run(value: Fields, parts: _Parts) -> RunRecord:
    tests = pick(value, "order", parts.orders)
    failed = {
        one_of(row[0], "failed", parts.tests): Failed(*(a_string(text, "failed") for text in row[1:]))
        for row in rows(value, "failed", 4)
    }
    durations = {
        one_of(row[0], "durations", parts.tests): a_real(row[1], "durations", low=0) / 1_000
        for row in rows(value, "durations", 2)
    }
    retried, unknown = (frozenset(picks(value, name, parts.tests)) for name in ("retried", "unknown"))
    named = {*failed, *retried, *unknown}
    if len(named) != len(failed) + len(retried) + len(unknown) or (named and not named.issubset(tests)):
        raise MalformedError("a run tells outcomes of tests that it did not have, or two of one test")
    return RunRecord(
        key=text(value, "key"),
        source=enumerated(value, "source", RunSource),
        group=text(value, "group"),
        commit=text(value, "commit"),
        environment=text(value, "environment"),
        attempt=integer(value, "attempt"),
        at=number(value, "at", low=0, high=_LATEST),
        seconds=number(value, "seconds", low=0),
        tests=tests,
        failed=failed,
        retried=retried,
        unknown=unknown,
        durations=durations,
        whole=boolean(value, "whole"),
        conditions=read_conditions(an_object(take(value, "conditions"), "conditions")),
        purpose=text(value, "purpose"),
        base=boolean(value, "base"),
    )


def _finding(value: Fields, parts: _Parts) -> Finding:
    proofs = []
    for item in a_list(take(value, "proofs"), "proofs"):
        proof = an_object(item, "proof")
        trials = _trials(proof, parts)
        if not trials:
            raise MalformedError("a proof has no trial")
        polluters, setters = (picks(proof, name, parts.tests) for name in ("polluters", "setters"))
        proofs.append(Proof(enumerated(proof, "cause", Cause), text(proof, "detail"), trials, polluters, setters))
    tried = []
    for item in a_list(take(value, "tried"), "tried"):
        one = an_object(item, "tried")
        tried.append(Tried(enumerated(one, "cause", Cause), text(one, "why"), _trials(one, parts)))
    return Finding(pick(value, "test", parts.tests), tuple(proofs), tuple(tried), text(value, "cut"))


def _trials(value: Fields, parts: _Parts) -> tuple[Trial, ...]:
    trials = []
    for item in a_list(take(value, "trials"), "trials"):
        trial = an_object(item, "trial")
        trials.append(
            Trial(
                label=text(trial, "label"),
                tests=pick(trial, "order", parts.orders),
                conditions=read_conditions(an_object(take(trial, "conditions"), "conditions")),
                counts=counts(trial, "counts"),
                foreign=integer(trial, "foreign"),
                keys=tuple(a_string(key, "keys") for key in a_list(take(trial, "keys"), "keys")),
            )
        )
    return tuple(trials)


def _regression(value: Fields, parts: _Parts) -> Regression:
    return Regression(
        test=pick(value, "test", parts.tests),
        good=text(value, "good"),
        bad=text(value, "bad"),
        at_good=counts(value, "at_good"),
        at_bad=counts(value, "at_bad"),
        p_value=number(value, "p_value", low=0, high=1),
        first_bad=text(value, "first_bad"),
        author=text(value, "author"),
    )


def _change(value: Fields, parts: _Parts) -> StateChange:
    return StateChange(
        test=pick(value, "test", parts.tests),
        state=enumerated(value, "state", State),
        at=number(value, "at", low=0, high=_LATEST),
        reason=text(value, "reason"),
        by=text(value, "by"),
        until=text(value, "until"),
    )


def _scan(value: Fields) -> Scan:
    return Scan(
        since=number(value, "since", low=0, high=_LATEST),
        until=number(value, "until", low=0, high=_LATEST),
        complete=boolean(value, "complete"),
        runs=integer(value, "runs"),
        carried_over=integer(value, "carried_over"),
        infrastructure=integer(value, "infrastructure"),
        problems=tuple(a_string(problem, "problems") for problem in a_list(take(value, "problems"), "problems")),
    )


def read_conditions(value: Fields) -> Conditions:
    known = {part.name: getattr(PLAIN, part.name) for part in fields(Conditions)}
    given: dict[str, bool | int | float | str | tuple[int, ...] | tuple[str, ...]] = {}
    for name, item in value.items():
        if name not in known:
            raise MalformedError(f"{name[:40]!r} is no condition of a run")
        match known[name]:
            case bool():
                given[name] = boolean(value, name)
            case int() | None:
                given[name] = integer(value, name)
            case float():
                given[name] = number(value, name, low=0)
            case str():
                given[name] = text(value, name)
            case _ if name == "beside":
                given[name] = tuple(a_string(each, name) for each in a_list(item, name))
            case _:
                given[name] = tuple(integers(item, name))
    return Conditions(**given)  # type: ignore[arg-type]  # each was held against its default's type


def _test_id(value: object) -> TestId:
    file, classname, name = a_list(value, "tests", count=3)
    return TestId(a_string(file, "tests"), a_string(classname, "tests"), a_string(name, "tests"))
