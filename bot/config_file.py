"""Reading grokfix.yml: the pydantic models of the file, and errors that name lines.

Only `bot.config.load` imports this module, so that start-up stays free of pydantic and yaml.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from bot.errors import ConfigError


def _argv(value: object) -> object:
    """A command may be written as one line (split like a shell would, never run by one) or as a list."""
    return shlex.split(value) if isinstance(value, str) else value


def _commands(value: object) -> object:
    if isinstance(value, str):
        return [_argv(line) for line in value.splitlines() if line.strip()]
    return [_argv(line) for line in value] if isinstance(value, list) else value


def _relative(value: str) -> str:
    if value.startswith(("/", "~")) or ".." in value.split("/"):
        raise ValueError("must be a path inside the repository, relative to its root")
    return value


_SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
RelativePath = Annotated[str, AfterValidator(_relative)]


def _size(value: object) -> object:
    """Bytes, or a number with k, m or g (powers of 1024)."""
    if isinstance(value, str) and value[-1:].lower() in _SIZES:
        try:
            return int(float(value[:-1]) * _SIZES[value[-1].lower()])
        except ValueError:
            return value
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceEntry(_Strict):
    prompt: float = Field(ge=0, description="US dollars per million prompt tokens")
    cached: float | None = Field(None, ge=0, description="the same for cached prompt tokens; default: as prompt")
    completion: float = Field(ge=0, description="US dollars per million completion tokens")
    long_prompt: int | None = Field(None, gt=0, description="prompt tokens from which long_factor applies")
    long_factor: float = Field(1.0, ge=1)


Kind = Annotated[Literal["openai", "xai"], Field(description="protocol: OpenAI's, or xAI's own (needs grokfix[xai])")]


class ProviderEntry(_Strict):
    name: str = Field(min_length=1, max_length=100, description="what reports call it")
    base_url: str = Field(pattern=r"^https?://", description="OpenAI-compatible endpoint")
    api_key_env: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", description="variable with its key; none: needs no key"
    )
    model: str = Field("", description="model to ask for there; default: model.name")
    kind: Kind = "openai"


class ModelSection(_Strict):
    name: str | None = Field(None, min_length=1, description="model to ask for")
    base_url: str | None = Field(None, pattern=r"^https?://", description="OpenAI-compatible endpoint")
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="variable with the key")
    prices: dict[str, PriceEntry] = Field(default_factory=dict, description="by served model name")
    kind: Kind = "openai"
    context: int | None = Field(None, ge=2_000, description="tokens that the model takes, prompt and reply together")
    providers: list[ProviderEntry] = Field(
        default_factory=list, max_length=10, description="endpoints to ask in this order where the first one fails"
    )

    @field_validator("providers")
    @classmethod
    def _unique(cls, providers: list[ProviderEntry]) -> list[ProviderEntry]:
        names = [provider.name for provider in providers]
        if len(names) != len(set(names)):
            raise ValueError("two providers have the same name")
        return providers


class LimitsSection(_Strict):
    attempts: int | None = Field(None, ge=1, le=100)
    minutes: float | None = Field(None, gt=0, le=360)
    cost_usd: float | None = Field(None, ge=0)
    clusters: int | None = Field(None, ge=1, le=50)
    tokens: int | None = Field(None, ge=1_000, description="of all requests, prompt and reply together")
    candidates: int | None = Field(None, ge=1, le=8, description="conversations side by side for one repair")
    per_fingerprint: int | None = Field(None, ge=1, description="runs for one and the same failure")
    per_pull_request: int | None = Field(None, ge=1, description="runs for one pull request")
    per_day: int | None = Field(None, ge=1, description="runs in 24 hours")
    per_day_minutes: float | None = Field(None, gt=0)
    per_day_cost_usd: float | None = Field(None, ge=0)


class TriggersSection(_Strict):
    bots: list[str] = Field(default_factory=list, description="logins of bots whose comments and runs count")
    artifacts: list[str] | None = Field(None, description="globs of artifact names that may hold test reports")


class PublishSection(_Strict):
    draft: bool = Field(True, description="open pull requests as drafts")
    labels: list[str] = Field(default_factory=list)
    reviewers: list[str] = Field(default_factory=list, description="logins or org/team, asked where a person must look")
    on_pull_request: Literal["stacked", "commit", "comment"] = Field(
        "stacked", description="fix of a pull request: one of its own onto it, a commit on it, or a comment"
    )
    dispatch: str = Field("", pattern=r"^([\w.-]+\.ya?ml)?$", description="workflow file started on the fix's branch")


class TriageSection(_Strict):
    days: int | None = Field(None, ge=1, le=365, description="how far back the history of CI runs is read")
    minutes: float | None = Field(None, gt=0, le=360, description="for reruns and experiments of one session")
    runs: int | None = Field(None, ge=1, le=100_000, description="test runs of one session")
    suspects: int | None = Field(None, ge=1, le=1_000, description="tests that one session examines")
    workflows: list[str] = Field(
        default_factory=list, description="file names of the workflows that run tests; default: all with reports"
    )
    quarantine_days: int | None = Field(None, ge=1, le=365, description="after which a quarantined test fails again")
    end_quarantine: bool = Field(True, description="propose the end of a quarantine once clean runs prove it")
    kept_days: int | None = Field(None, ge=1, le=3_650, description="how long the history is kept")
    network: bool = Field(False, description="let the network experiment open the sandbox's network for trusted code")


class ServiceSection(_Strict):
    image: str = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    ready: list[str] = Field(default_factory=list, description="command run in the service until it exits 0")
    ready_seconds: float = Field(60, gt=0, le=900)

    _split = field_validator("ready", mode="before")(_argv)


class SuiteOptionsSection(_Strict):
    shuffle: list[str] = Field(
        default_factory=list, description="options that shuffle a foreign command's tests by {seed}"
    )
    workers: list[str] = Field(
        default_factory=list, description="options that run a foreign command's tests in {workers} processes"
    )

    @field_validator("shuffle", "workers")
    @classmethod
    def _holds_its_number(cls, words: list[str], info: ValidationInfo) -> list[str]:
        wanted = "{seed}" if info.field_name == "shuffle" else "{workers}"
        if words and not any(wanted in word for word in words):
            raise ValueError(f"no word holds {wanted}, for which the number is put in")
        return words


class SuiteSection(_Strict):
    name: str = Field("default", min_length=1)
    path: RelativePath = "."
    image: str = ""
    setup: list[list[str]] | None = Field(None, description="commands; default: detected")
    setup_secrets: list[str] = Field(default_factory=list, description="names of environment variables")
    setup_allow: list[str] = Field(default_factory=list, description="private hosts set-up may reach")
    test: list[str] = Field(default_factory=list, description="test command; default: detected")
    junit: RelativePath | Literal[""] = Field("", description="JUnit XML that the test command writes itself")
    interpreter: str = Field("", description="Python for the process sandbox")
    services: list[ServiceSection] = Field(default_factory=list)
    triage: SuiteOptionsSection = SuiteOptionsSection()
    seconds: float = Field(600, gt=0, le=7200, description="limit of one run of the whole suite")
    test_seconds: float = Field(60, gt=0, le=3600, description="limit of one test")

    _split = field_validator("test", mode="before")(_argv)
    _split_setup = field_validator("setup", mode="before")(_commands)


class SandboxSection(_Strict):
    kind: Literal["auto", "docker", "process"] | None = None
    memory: int | None = Field(None, ge=64 << 20)
    cpus: float | None = Field(None, gt=0)
    pids: int | None = Field(None, ge=16)
    workspace: int | None = Field(None, ge=16 << 20)
    runtime: str | None = None
    allow_missing_limits: bool = False
    image_cache: str = ""

    _sizes = field_validator("memory", "workspace", mode="before")(_size)


class File(_Strict):
    """`.github/grokfix.yml`."""

    version: Literal[1]
    model: ModelSection = ModelSection()
    engine: Literal["auto", "model", "search"] | None = None
    limits: LimitsSection = LimitsSection()
    suites: list[SuiteSection] = Field(default_factory=list)
    sandbox: SandboxSection = SandboxSection()
    protect: list[str] = Field(default_factory=list, description="path globs that no patch may touch")
    instructions: str = Field("", max_length=20_000, description="guidance for the model")
    triggers: TriggersSection = TriggersSection()
    publish: PublishSection = PublishSection()
    triage: TriageSection = TriageSection()

    @field_validator("suites")
    @classmethod
    def _unique(cls, suites: list[SuiteSection]) -> list[SuiteSection]:
        names = [suite.name for suite in suites]
        if len(names) != len(set(names)):
            raise ValueError("two suites have the same name")
        return suites


def json_schema() -> str:
    """The file's JSON schema, for editors: what config.schema.json holds."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "grokfix.yml"}
    return json.dumps({**File.model_json_schema(mode="validation"), **schema}, indent=2) + "\n"


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys (the last would win in silence) and aliases (bombs)."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text: str, name: str) -> File:
    """Read the file's text; ConfigError lists every fault with its line (`name:LINE: key: what is wrong`)."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node is not None else {}
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not readable as YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{name}: not readable as YAML: {error}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(f"{name}:1: the file must be a mapping that begins with `version: 1`")
    try:
        return File.model_validate(data)
    except ValidationError as error:
        faults = [_describe(name, node, fault) for fault in error.errors()]
        raise ConfigError("\n".join(faults)) from error


def _describe(name: str, root: yaml.Node | None, fault: ErrorDetails) -> str:
    line, where = _line(root, fault["loc"]), ".".join(map(str, fault["loc"])) or "file"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "unknown key; see the configuration table in the README"
    if fault["type"] == "missing":
        message = "is missing"
    return f"{name}:{line}: {where}: {message}"


def _line(node: yaml.Node | None, location: Iterable[int | str]) -> int:
    """Line of the deepest part of `location` that the file has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
