"""Settings: the types, and the only reader of the environment and of grokfix.yml.

Order: defaults → file → action inputs or flags. Unknown keys are errors; all faults are reported at once with lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class RepairLimits:
    """What a run may spend. `cost_usd` None: no limit in money."""

    attempts: int = 5
    minutes: float = 30.0
    cost_usd: float | None = 1.0
    clusters: int = 3


@dataclass(frozen=True, slots=True)
class SuiteSettings:
    """One test suite of the repository. Empty strings and tuples mean: detect.

    test: the test command as argv. setup: argv lists. junit: where that command writes JUnit XML itself ("" = ours).
    interpreter: Python for the process sandbox. seconds: limit of one whole run of the suite.
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
    seconds: float = 600.0


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
