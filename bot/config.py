"""Settings: the types, and the only reader of the environment and of grokfix.yml.

Order: defaults → file → action inputs or flags. Unknown keys are errors; all faults are reported at once with lines.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.errors import ConfigError
from bot.ports import Limits, Service


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. Above `long_prompt` prompt tokens (None: never) all costs `long_factor`×."""

    prompt: float
    cached: float
    completion: float
    long_prompt: int | None = None
    long_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model. `api_key` is the value of the variable that `api_key_env` names, "" where unset."""

    name: str = "grok-code-fast-1"
    base_url: str = "https://api.x.ai/v1"
    api_key_env: str = "XAI_API_KEY"
    api_key: str = field(default="", repr=False)
    prices: Mapping[str, Price] = field(default_factory=dict)
    context: int = 256_000  # tokens
    providers: tuple[Provider, ...] = ()
    provider: str = ""  # what to call this endpoint; "" = its host
    kind: str = "openai"  # protocol: "openai", or "xai" (its own SDK, the extra grokfix[xai])

    def configured(self) -> tuple[ModelSettings, ...]:
        """This endpoint and then its providers, in order."""
        others = (
            replace(
                self,
                name=each.model or self.name,
                base_url=each.base_url,
                api_key_env=each.api_key_env,
                api_key=each.api_key,
                provider=each.name,
                kind=each.kind,
                providers=(),
            )
            for each in self.providers
        )
        return (replace(self, providers=()), *others)

    def endpoints(self) -> tuple[ModelSettings, ...]:
        """Those of them that may be asked: their key is there, or they need none."""
        return tuple(each for each in self.configured() if each.api_key or not each.api_key_env)


@dataclass(frozen=True, slots=True)
class Provider:
    """Another endpoint to ask where the ones before it fail. model "": as model.name. api_key_env "": needs no key."""

    name: str
    base_url: str
    api_key_env: str = ""
    api_key: str = field(default="", repr=False)
    model: str = ""
    kind: str = "openai"


@dataclass(frozen=True, slots=True)
class RepairLimits:
    """What a run may spend. `cost_usd` None: no limit in money. tokens: of all requests, prompt and reply together.

    candidates: conversations that may look for one repair side by side.
    """

    attempts: int = 5
    minutes: float = 30.0
    cost_usd: float | None = 1.0
    clusters: int = 3
    tokens: int = 2_000_000
    candidates: int = 1


@dataclass(frozen=True, slots=True)
class TriggerLimits:
    """What runs may spend together, by the ledger. Counts are runs begun, whatever became of them.

    per_day, per_day_minutes and per_day_cost_usd hold for the last 24 hours and the whole repository.
    """

    per_fingerprint: int = 3
    per_pull_request: int = 10
    per_day: int = 20
    per_day_minutes: float = 240.0
    per_day_cost_usd: float | None = 10.0


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """bots: logins of bots whose events count. artifacts: globs of artifact names that may hold test reports."""

    bots: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ("*junit*", "*test*", "*report*", "*results*")
    limits: TriggerLimits = field(default_factory=TriggerLimits)


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """How a fix is offered. on_pull_request: "stacked", "commit" or "comment". reviewers: logins, or "org/team".

    labels: on every pull request; `needs_review` grades get the label grokfix-needs-review and the reviewers besides.
    dispatch: file name of a workflow to start on the branch of a fix, "" = none.
    """

    draft: bool = True
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    on_pull_request: str = "stacked"
    dispatch: str = ""


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """Words that triage adds to a test command which is neither pytest nor unittest; () = it knows none.

    shuffle: runs the tests in an order, or on random numbers, that `{seed}` fixes. workers: in `{workers}` processes.
    """

    shuffle: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteSettings:
    """One test suite of the repository. Empty strings and tuples mean: detect.

    test: the test command as argv. setup: argv lists. junit: where that command writes JUnit XML itself ("" = ours).
    interpreter: Python for the process sandbox. seconds: limit of one whole run of the suite;
    test_seconds: limit of one test, which fails with TimeoutError there and shows where it was.
    """

    name: str = "default"
    path: str = "."
    image: str = ""
    setup: tuple[tuple[str, ...], ...] | None = None
    setup_secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    setup_allow: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    junit: str = ""
    interpreter: str = ""
    services: tuple[Service, ...] = ()
    triage: SuiteOptions = field(default_factory=SuiteOptions)
    seconds: float = 600.0
    test_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class TriageSettings:
    """Triage of flaky tests. days: how far back the history of CI runs is read. minutes, runs: what reruns and
    experiments of one session may spend together. suspects: how many tests one session examines, the costliest first.
    workflows: file names of the workflows that run tests, () = those whose runs have reports.
    quarantine_days: after which a quarantined test fails again. end_quarantine: whether a night proposes the end of a
    quarantine once the test is shown to be mended. kept_days: how long the history is kept.
    network: whether the network experiment may give trusted code a way out of a sandbox that has none.
    """

    days: int = 30
    minutes: float = 60.0
    runs: int = 400
    suspects: int = 20
    workflows: tuple[str, ...] = ()
    quarantine_days: int = 30
    end_quarantine: bool = True
    kept_days: int = 180
    network: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """kind: "auto", "docker" or "process". image_cache: folder where set-up images are kept as tar files, "" = none."""

    kind: str = "auto"
    limits: Limits = field(default_factory=Limits)
    image_cache: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run is told."""

    model: ModelSettings = field(default_factory=ModelSettings)
    engine: str = "auto"  # auto | model | search
    limits: RepairLimits = field(default_factory=RepairLimits)
    suites: tuple[SuiteSettings, ...] = (SuiteSettings(),)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    protect: tuple[str, ...] = ()  # path globs no patch may touch
    instructions: str = ""
    triggers: TriggerSettings = field(default_factory=TriggerSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    triage: TriageSettings = field(default_factory=TriageSettings)

    def asked_model(self) -> str:
        """Name of the model that is asked first; "" where none is: by the engine, or for want of a key."""
        endpoints = () if self.engine == "search" else self.model.endpoints()
        return endpoints[0].name if endpoints else ""


def load(
    text: str | None,
    name: str,
    environment: Mapping[str, str],
    *,
    api_key: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    engine: str | None = None,
    sandbox: str | None = None,
    max_attempts: int | None = None,
    max_minutes: float | None = None,
    max_cost: float | None = None,
    candidates: int | None = None,
    test_command: str | None = None,
) -> Settings:
    """Merge defaults, the file's `text` (None: there is no file) and the flags, in that order.

    `environment` gives the values of `model.api_key_env` and of `setup_secrets`. api_key: stands for the variable
    model.api_key_env, also where a provider names that one. ConfigError lists every fault.
    """
    if text is None:
        settings = _defaults(environment)
    else:
        from bot.config_file import parse
        from bot.config_settings import settings_of

        settings = settings_of(parse(text, name), environment, name)
    model_settings = replace(
        settings.model,
        name=model or settings.model.name,
        base_url=base_url or settings.model.base_url,
        api_key=api_key or settings.model.api_key,
        providers=tuple(
            replace(each, api_key=api_key)
            if api_key and not each.api_key and each.api_key_env == settings.model.api_key_env
            else each
            for each in settings.model.providers
        ),
    )
    limits = replace(
        settings.limits,
        attempts=max_attempts or settings.limits.attempts,
        minutes=max_minutes or settings.limits.minutes,
        cost_usd=settings.limits.cost_usd if max_cost is None else max_cost,
        candidates=candidates or settings.limits.candidates,
    )
    suites = settings.suites
    if test_command is not None:
        try:
            argv = tuple(shlex.split(test_command))
        except ValueError as error:
            raise ConfigError(f"--test-command {test_command!r} cannot be split into words: {error}") from error
        if not argv:
            raise ConfigError("--test-command is empty; leave it out to have the command detected")
        suites = (replace(suites[0], test=argv), *suites[1:])
    return replace(
        settings,
        model=model_settings,
        limits=limits,
        suites=suites,
        engine=engine or settings.engine,
        sandbox=replace(settings.sandbox, kind=sandbox or settings.sandbox.kind),
    )


def process_environment() -> Mapping[str, str]:
    """This process's environment: the one place where it is read."""
    return os.environ


def _defaults(environment: Mapping[str, str]) -> Settings:
    model = ModelSettings()
    return Settings(model=replace(model, api_key=environment.get(model.api_key_env, "")))
