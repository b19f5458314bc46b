"""What a claim and a ledger line may look like as JSON: every field's type, length and letters.

It builds pydantic models, so it is imported only where one is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bot.config_action import MOST_SHARDS
from bot.trigger import grammar, types
from bot.trigger.entry import State
from bot.trigger.limits import MOST_EXHAUSTED
from bot.trigger.payload import LOGIN, REPOSITORY, SHA, is_ref
from bot.trigger.types import MOST_NAMED, TriggerKind

MOST_NODE_ID = 1000
"""Characters of a test's id."""


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


_Number = Annotated[int, Field(gt=0, lt=1 << 63)]
_Ref = Annotated[str, AfterValidator(_ref)]
_Repository = Annotated[str, Field(pattern=f"^(?:{REPOSITORY})?$")]
_Login = Annotated[str, Field(pattern=f"^(?:{LOGIN})?$")]
_Sha = Annotated[str, Field(pattern=f"^(?:{SHA})?$")]
_Attempt = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
_Url = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=500)]
_Tests = Annotated[tuple[Annotated[str, AfterValidator(_test)], ...], Field(max_length=grammar.MOST_TESTS)]
_Node = Annotated[str, Field(min_length=1, max_length=MOST_NODE_ID), AfterValidator(_node)]
_Nodes = Annotated[tuple[_Node, ...], Field(max_length=MOST_NAMED)]
_Exhausted = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{1,64}|\*)$")]


class Fix(_Strict):
    name: Literal["fix"]
    tests: _Tests
    hint: Annotated[str, AfterValidator(_hint)]
    attempts: Annotated[int, Field(ge=1, le=grammar.MOST_ATTEMPTS)] | None
    engine: Literal["", "auto", "model", "search"]


class Explain(_Strict):
    name: Literal["explain"]
    tests: _Tests


class Retry(_Strict):
    name: Literal["retry"]
    fix: Fix


class Flaky(_Strict):
    name: Literal["flaky"]
    tests: _Tests


class Test(_Strict):
    name: Literal["test"]


class Triage(_Strict):
    name: Literal["triage"]
    shards: Annotated[int, Field(ge=0, le=MOST_SHARDS)]
    tests: _Nodes
    quarantine: _Nodes
    release: _Nodes
    mend: _Nodes = ()  # lines of the ledger from before there was it

    @model_validator(mode="after")
    def fits(self) -> Triage:
        """All names together, too, are such as one run takes."""
        if why := types.Triage(self.shards, self.tests, self.quarantine, self.release, self.mend).too_much:
            raise ValueError(why)
        return self


Command = Annotated[Fix | Explain | Retry | Flaky | Test | Triage, Field(discriminator="name")]


class Trigger(_Strict):
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
    command: Command | None


class Claim(_Strict):
    trigger: Trigger
    attempt: _Attempt
    run_url: _Url
    diagnosis_only: bool
    asked: bool
    progress_comment: _Number | None
    check_run: _Number | None
    exhausted: Annotated[tuple[_Exhausted, ...], Field(max_length=MOST_EXHAUSTED)] = ()


class Own(_Strict):
    id: _Number
    url: _Url
    job: Annotated[str, Field(max_length=200)]


class Entry(BaseModel):
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
    own: Own
    claim: Claim
