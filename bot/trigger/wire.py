"""Claims and ledger lines as JSON: strict shapes, for they cross jobs and lie on a branch that others can write.

It builds pydantic models, so it is imported only where one is read or written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeVar, assert_never

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.config_action import MOST_SHARDS
from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.trigger import grammar
from bot.trigger.entry import Entry, State
from bot.trigger.limits import MOST_EXHAUSTED
from bot.trigger.payload import LOGIN, REPOSITORY, SHA, is_ref
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
    TriggerKind,
    WrongCommand,
)

LONGEST_LINE = 64 << 10
MOST_TICKED, MOST_NODE_ID = 20, 1000
"""Of one triage: the most tests that are ticked for one thing, the most characters of a test's id."""
"""Characters of one claim or ledger line that are read: the longest command and every name at its limit fit."""


def _ref(name: str) -> str:
    if name and not is_ref(name):
        raise ValueError("must be the name of a branch, or empty")
    return name


def _test(name: str) -> str:
    if grammar.wrong_test(name):
        raise ValueError("must be a test that a command can name")
    return name


def _hint(text: str) -> str:
    if text and grammar.wrong_hint(text):
        raise ValueError("must be a hint that a command can give, or empty")
    return text


def _node(test: str) -> str:
    if any(character < " " for character in test):
        raise ValueError("must be a test's node id")
    return test


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


_Shape = TypeVar("_Shape", bound=BaseModel)
_Number = Annotated[int, Field(gt=0, lt=1 << 63)]
_Ref = Annotated[str, AfterValidator(_ref)]
_Repository = Annotated[str, Field(pattern=f"^(?:{REPOSITORY})?$")]
_Login = Annotated[str, Field(pattern=f"^(?:{LOGIN})?$")]
_Sha = Annotated[str, Field(pattern=f"^(?:{SHA})?$")]
_Attempt = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
_Url = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=500)]
_Tests = Annotated[tuple[Annotated[str, AfterValidator(_test)], ...], Field(max_length=grammar.MOST_TESTS)]


_Node = Annotated[str, Field(min_length=1, max_length=MOST_NODE_ID), AfterValidator(_node)]
_Nodes = Annotated[tuple[_Node, ...], Field(max_length=MOST_TICKED)]
_Exhausted = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{1,64}|\*)$")]


class _Fix(_Strict):
    name: Literal["fix"]
    tests: _Tests
    hint: Annotated[str, AfterValidator(_hint)]
    attempts: Annotated[int, Field(ge=1, le=grammar.MOST_ATTEMPTS)] | None
    engine: Literal["", "auto", "model", "search"]


class _Explain(_Strict):
    name: Literal["explain"]
    tests: _Tests


class _Retry(_Strict):
    name: Literal["retry"]
    fix: _Fix


class _Flaky(_Strict):
    name: Literal["flaky"]
    tests: _Tests


class _Test(_Strict):
    name: Literal["test"]


class _Triage(_Strict):
    name: Literal["triage"]
    shards: Annotated[int, Field(ge=0, le=MOST_SHARDS)]
    tests: _Nodes
    quarantine: _Nodes
    release: _Nodes


_Command = Annotated[_Fix | _Explain | _Retry | _Flaky | _Test | _Triage, Field(discriminator="name")]


class _Trigger(_Strict):
    kind: TriggerKind
    repository: Annotated[str, Field(pattern=f"^{REPOSITORY}$")]
    default_branch: _Ref
    sender: _Login
    actor: _Login
    triggering_actor: _Login
    sha: _Sha
    branch: _Ref
    head_repository: _Repository
    base_branch: _Ref
    pull_request: _Number | None
    run_id: _Number | None
    run_attempt: _Number
    workflow_id: _Number | None
    workflow: Annotated[str, Field(max_length=255)]
    event: Annotated[str, Field(pattern="^[a-z_]{0,40}$")]
    comment_id: _Number | None
    command: _Command | None


class _Claim(_Strict):
    trigger: _Trigger
    attempt: _Attempt
    run_url: _Url
    diagnosis_only: bool
    asked: bool
    progress_comment: _Number | None
    check_run: _Number | None
    exhausted: Annotated[tuple[_Exhausted, ...], Field(max_length=MOST_EXHAUSTED)] = ()


class _Own(_Strict):
    id: _Number
    url: _Url
    job: Annotated[str, Field(max_length=200)]


class _Entry(BaseModel):
    # A line of a later version may hold more: it still counts.
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)

    attempt: _Attempt
    state: State
    begun: AwareDatetime
    ended: AwareDatetime | None
    outcome: Annotated[str, Field(pattern="^[a-z_]{0,40}$")]
    reason: Annotated[str, Field(pattern="^[a-z_]{0,40}$")]
    fingerprints: tuple[Annotated[str, Field(pattern="^[0-9a-f]{1,64}$")], ...]
    minutes: Annotated[float, Field(ge=0)]
    cost_usd: Annotated[float, Field(ge=0)] | None
    pull_requests: tuple[_Number, ...]
    own: _Own
    claim: _Claim


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
        case Triage(shards, tests, quarantine, release):
            return {
                "name": "triage",
                "shards": shards,
                "tests": tests,
                "quarantine": quarantine,
                "release": release,
            }
        case Stop() | Help() | WrongCommand():
            raise AssertionError(f"{type(command).__name__} needs no attempt and is never claimed")
    assert_never(command)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


# --- reading --------------------------------------------------------------------------------------------------------


def read_claim(text: str) -> Claim:
    """ConfigError that names every fault, without the values: they are a stranger's."""
    return _to_claim(_read(_Claim, text, "the claim"))


def read_entry(text: str) -> Entry:
    """ConfigError where the line is none of ours."""
    found = _read(_Entry, text, "the line of the ledger")
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


def _to_claim(found: _Claim) -> Claim:
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


def _to_command(told: _Fix | _Explain | _Retry | _Flaky | _Test | _Triage) -> Command:
    match told:
        case _Fix():
            return _to_fix(told)
        case _Explain():
            return Explain(told.tests)
        case _Retry():
            return Retry(_to_fix(told.fix))
        case _Flaky():
            return Flaky(told.tests)
        case _Test():
            return Test()
        case _Triage():
            return Triage(told.shards, told.tests, told.quarantine, told.release)
    assert_never(told)


def _to_fix(told: _Fix) -> Fix:
    return Fix(told.tests, told.hint, told.attempts, told.engine)
