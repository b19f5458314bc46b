"""What GitHub Actions tells its actions: the run's own facts and the inputs, read from an environment.

Inputs arrive as `INPUT_MAX-ATTEMPTS`, hyphens kept; an input that is not given arrives as an empty string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.errors import ConfigError

CONFIG_PATH = ".github/grokfix.yml"
MODES = ("all", "claim", "analyze", "publish")
MOST_SHARDS = 20
ENGINES = ("auto", "model", "search")
OUTCOMES = ("repaired", "needs_review", "gave_up", "not_reproduced", "flaky", "no_failures", "stopped")
_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ActionContext:
    """The run that this action is a step of. Paths are as this process sees them, "" where there is none.

    repository: "owner/name". sha: GITHUB_SHA, on pull requests the merge. workspace: the checkout, if one was made.
    runner: name of the machine, which tells the jobs of a matrix apart. output_path, summary_path: files that take the
    step's outputs and its part of the job summary.
    """

    event: str
    event_path: str
    repository: str
    run_id: int
    run_attempt: int
    sha: str
    ref: str
    actor: str
    triggering_actor: str
    workflow: str
    runner: str
    workspace: str
    api_url: str
    server_url: str
    graphql_url: str
    output_path: str
    summary_path: str

    @property
    def run_url(self) -> str:
        """Page of this run."""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


@dataclass(frozen=True, slots=True)
class ActionInputs:
    """The inputs of action.yml; None and "" mean: the setting of grokfix.yml, or its default.

    junit: globs of report files in the workspace. fail_on: outcomes for which the step shall be red.
    bundle: folder that analyze writes and publish reads. trigger: what claim put out, handed on to the other two.
    shards: into how many jobs a triage is divided, None where none is asked for; shard: which of them this is, from 1.
    """

    mode: str = "all"
    token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    base_url: str | None = None
    model: str | None = None
    engine: str | None = None
    max_attempts: int | None = None
    max_cost: float | None = None
    max_minutes: float | None = None
    junit: tuple[str, ...] = ()
    log: str = ""
    config: str = CONFIG_PATH
    bundle: str = "grokfix-bundle"
    fail_on: tuple[str, ...] = ()
    trigger: str = field(default="", repr=False)
    shards: int | None = None
    shard: int = 1


def read_action(environment: Mapping[str, str]) -> tuple[ActionContext, ActionInputs]:
    """Both, from the environment of a step. ConfigError lists every fault at once."""
    reader = _Reader(environment)
    context = ActionContext(
        event=reader.needed("GITHUB_EVENT_NAME"),
        event_path=reader.needed("GITHUB_EVENT_PATH"),
        repository=reader.shaped("GITHUB_REPOSITORY", _NAME, "owner/name"),
        run_id=reader.count("GITHUB_RUN_ID"),
        run_attempt=reader.count("GITHUB_RUN_ATTEMPT", default=1),
        sha=reader.shaped("GITHUB_SHA", _SHA, "a commit's hash", optional=True),
        ref=environment.get("GITHUB_REF", ""),
        actor=environment.get("GITHUB_ACTOR", ""),
        triggering_actor=environment.get("GITHUB_TRIGGERING_ACTOR", ""),
        workflow=environment.get("GITHUB_WORKFLOW", ""),
        runner=environment.get("RUNNER_NAME", "")[:200],
        workspace=environment.get("GITHUB_WORKSPACE", ""),
        api_url=reader.url("GITHUB_API_URL", "https://api.github.com"),
        server_url=reader.url("GITHUB_SERVER_URL", "https://github.com"),
        graphql_url=reader.url("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
        output_path=environment.get("GITHUB_OUTPUT", ""),
        summary_path=environment.get("GITHUB_STEP_SUMMARY", ""),
    )
    given = reader.given
    shard, shards = reader.shard("shard")
    inputs = ActionInputs(
        mode=reader.choice("mode", MODES) or "all",
        token=given("github-token"),
        api_key=given("api-key"),
        base_url=given("base-url") or None,
        model=given("model") or None,
        engine=reader.choice("engine", ENGINES),
        max_attempts=reader.number("max-attempts", _whole, "a whole number from 1 to 100"),
        max_cost=reader.number("max-cost", _amount, "an amount of US dollars from 0"),
        max_minutes=reader.number("max-minutes", _minutes, "a number of minutes above 0, at most 360"),
        junit=tuple(given("junit").split()),
        log=given("log"),
        config=given("config") or CONFIG_PATH,
        bundle=given("bundle") or "grokfix-bundle",
        fail_on=reader.outcomes("fail-on"),
        trigger=given("trigger"),
        shards=shards,
        shard=shard,
    )
    if reader.faults:
        raise ConfigError("\n".join(reader.faults))
    return context, inputs


class _Reader:
    """Reads values and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def given(self, name: str) -> str:
        return self._environment.get(f"INPUT_{name.upper()}", "").strip()

    def needed(self, name: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            self.faults.append(f"{name} is not set; `grokfix action` runs as a step of GitHub Actions, which sets it")
        return value

    def shaped(self, name: str, shape: re.Pattern[str], what: str, *, optional: bool = False) -> str:
        value = self._environment.get(name, "") if optional else self.needed(name)
        if value and not shape.fullmatch(value):
            self.faults.append(f"{name} is {value[:100]!r}, which is not {what}")
        return value

    def count(self, name: str, *, default: int | None = None) -> int:
        value = self._environment.get(name, "") or ("" if default is None else str(default))
        if not (value.isascii() and value.isdigit()):
            self.faults.append(f"{name} is {value[:100]!r}, which is not a whole number")
            return 0
        return int(value)

    def url(self, name: str, default: str) -> str:
        value = (self._environment.get(name, "") or default).rstrip("/")
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[\w./-]*)?", value):
            self.faults.append(f"{name} is {value[:100]!r}, which is not the address of a server")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.given(name)
        if value and value not in choices:
            self.faults.append(f"input {name} is {value[:100]!r}; it must be one of {', '.join(choices)}")
        return value or None

    def number(self, name: str, read: Callable[[str], Value], what: str) -> Value | None:
        value = self.given(name)
        if not value:
            return None
        try:
            return read(value)
        except ValueError:
            self.faults.append(f"input {name} is {value[:100]!r}; it must be {what}")
            return None

    def shard(self, name: str) -> tuple[int, int | None]:
        """ "2/3" → (2, 3); "3", how many there are, → (1, 3)."""
        value = self.given(name)
        match = re.fullmatch(r"(?:([1-9]\d?)/)?([1-9]\d?)", value, re.ASCII)
        if not value:
            return 1, None
        if match is None or int(match[2]) > MOST_SHARDS or int(match[1] or 1) > int(match[2]):
            self.faults.append(
                f"input {name} is {value[:100]!r}; it must be a number of shards from 1 to {MOST_SHARDS}, or in "
                "analyze which of them, for example 1/2"
            )
            return 1, None
        return int(match[1] or 1), int(match[2])

    def outcomes(self, name: str) -> tuple[str, ...]:
        values = tuple(filter(None, re.split(r"[\s,]+", self.given(name))))
        for value in values:
            if value not in OUTCOMES:
                self.faults.append(f"input {name} names {value[:100]!r}; the outcomes are {', '.join(OUTCOMES)}")
        return values


def _whole(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100:
        raise ValueError(text)
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 360:
        raise ValueError(text)
    return value
