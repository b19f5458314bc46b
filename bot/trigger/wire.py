"""Claims and ledger lines as JSON: strict shapes, for they cross jobs and lie on a branch that others can write.

It needs the pydantic models of bot.trigger.shapes, so it is imported only where one is read or written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar, assert_never

from pydantic import BaseModel, ValidationError

from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.trigger import shapes
from bot.trigger.entry import Entry
from bot.trigger.types import (
    Claim,
    Command,
    Explain,
    Fix,
    Flaky,
    Help,
    OwnRun,
    Retry,
    Stop,
    Test,
    Triage,
    Trigger,
    WrongCommand,
)

LONGEST_LINE = 64 << 10
"""Characters of one claim or ledger line that are read: the longest command and every name at its limit fit."""

_Shape = TypeVar("_Shape", bound=BaseModel)


# --- writing --------------------------------------------------------------------------------------------------------


def claim_data(claim: Claim) -> Mapping[str, JsonValue]:
    """Plain JSON values of a claim."""
    trigger = {**_plain(claim.trigger), "command": _command_data(claim.trigger.command)}
    return {**_plain(claim), "trigger": trigger}


def entry_data(entry: Entry) -> Mapping[str, JsonValue]:
    """Plain JSON values of a ledger line; times in ISO 8601, UTC."""
    return {
        **_plain(entry),
        "begun": _iso(entry.begun),
        "ended": None if entry.ended is None else _iso(entry.ended),
        "own": _plain(entry.own),
        "claim": claim_data(entry.claim),
    }


def _plain(value: Claim | Trigger | Entry | OwnRun) -> dict[str, JsonValue]:
    """The fields that are JSON values already; the caller adds the rest."""
    plain: dict[str, JsonValue] = {}
    for each in dataclasses.fields(value):
        inner = getattr(value, each.name)
        if inner is None or isinstance(inner, str | int | float | tuple):
            plain[each.name] = inner.value if isinstance(inner, StrEnum) else inner
    return plain


def _command_data(command: Command | WrongCommand | None) -> JsonValue:
    match command:
        case None:
            return None
        case Fix(tests, hint, attempts, engine):
            return {"name": "fix", "tests": tests, "hint": hint, "attempts": attempts, "engine": engine}
        case Explain(tests):
            return {"name": "explain", "tests": tests}
        case Retry(fix):
            return {"name": "retry", "fix": _command_data(fix)}
        case Flaky(tests):
            return {"name": "flaky", "tests": tests}
        case Test():
            return {"name": "test"}
        case Triage(shards, tests, quarantine, release, mend):
            return {
                "name": "triage",
                "shards": shards,
                "tests": tests,
                "quarantine": quarantine,
                "release": release,
                "mend": mend,
            }
        case Stop() | Help() | WrongCommand():
            raise AssertionError(f"{type(command).__name__} needs no attempt and is never claimed")
    assert_never(command)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


# --- reading --------------------------------------------------------------------------------------------------------


def read_claim(text: str) -> Claim:
    """ConfigError that names every fault, without the values: they are a stranger's."""
    return _to_claim(_read(shapes.Claim, text, "the claim"))


def read_entry(text: str) -> Entry:
    """ConfigError where the line is none of ours."""
    found = _read(shapes.Entry, text, "the line of the ledger")
    if found.attempt != found.claim.attempt:
        raise ConfigError("the line of the ledger names two attempts")
    return Entry(
        attempt=found.attempt,
        state=found.state,
        begun=found.begun.timestamp(),
        ended=None if found.ended is None else found.ended.timestamp(),
        outcome=found.outcome,
        reason=found.reason,
        fingerprints=found.fingerprints,
        minutes=found.minutes,
        cost_usd=found.cost_usd,
        pull_requests=found.pull_requests,
        own=OwnRun(found.own.id, found.own.url, found.own.job),
        claim=_to_claim(found.claim),
    )


def _read(shape: type[_Shape], text: str, what: str) -> _Shape:
    if len(text) > LONGEST_LINE:
        raise ConfigError(f"{what} has {len(text):,} characters; at most {LONGEST_LINE:,} are read")
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['type']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)[:10]
        )
        raise ConfigError(
            f"{what} is not as this version of grokfix writes it ({faults[:500]}); "
            "all jobs of a run must use the same version, and hand it on unchanged"
        ) from error


def _to_claim(found: shapes.Claim) -> Claim:
    told = found.trigger
    trigger = Trigger(
        kind=told.kind,
        repository=told.repository,
        default_branch=told.default_branch,
        sender=told.sender,
        actor=told.actor,
        triggering_actor=told.triggering_actor,
        sha=told.sha,
        branch=told.branch,
        head_repository=told.head_repository,
        base_branch=told.base_branch,
        pull_request=told.pull_request,
        run_id=told.run_id,
        run_attempt=told.run_attempt,
        workflow_id=told.workflow_id,
        workflow=told.workflow,
        event=told.event,
        comment_id=told.comment_id,
        command=None if told.command is None else _to_command(told.command),
    )
    return Claim(
        trigger=trigger,
        attempt=found.attempt,
        run_url=found.run_url,
        diagnosis_only=found.diagnosis_only,
        asked=found.asked,
        progress_comment=found.progress_comment,
        check_run=found.check_run,
        exhausted=found.exhausted,
    )


def _to_command(told: shapes.Command) -> Command:
    match told:
        case shapes.Fix():
            return _to_fix(told)
        case shapes.Explain():
            return Explain(told.tests)
        case shapes.Retry():
            return Retry(_to_fix(told.fix))
        case shapes.Flaky():
            return Flaky(told.tests)
        case shapes.Test():
            return Test()
        case shapes.Triage():
            return Triage(told.shards, told.tests, told.quarantine, told.release, told.mend)
    assert_never(told)


def _to_fix(told: shapes.Fix) -> Fix:
    return Fix(told.tests, told.hint, told.attempts, told.engine)
