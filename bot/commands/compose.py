"""The composition root: which adapter does what, chosen from settings and flags."""

from __future__ import annotations

import argparse
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from bot import config
from bot.adapters.clock import SystemClock
from bot.budget import Budget
from bot.commands.proposers import Means, proposers
from bot.config import Settings, SuiteSettings
from bot.errors import ConfigError, SandboxError
from bot.ports import Clock, Model, Recorder, Sandbox
from bot.publish.untrusted import log
from bot.reproduce import Job, Tools
from bot.toolchains.python import PythonToolchain
from bot.workspace.git import Repository

CONFIG_PATH = ".github/grokfix.yml"
_CACHE = re.compile(r"(^|/)(__pycache__|\.[a-z]+_cache)/")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|CREDENTIAL|PRIVATE", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked of one run, besides settings."""

    tests: tuple[str, ...] = ()
    junit: tuple[str, ...] = ()
    log: str | None = None
    good: str = ""
    hint: str = ""
    output: str | None = None
    allow_dirty: bool = False
    apply: bool = False
    verbose: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> Request:
        """From parsed flags; a command without a flag has its default."""
        given = vars(options)
        taken = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        return cls(**{**taken, "tests": tuple(options.tests), "junit": tuple(options.junit)})


def settings_of(options: argparse.Namespace, root: Path) -> Settings:
    """Defaults, the checkout's file or `--config`, then flags."""
    path = Path(options.config) if options.config else root / CONFIG_PATH
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        if options.config:
            raise ConfigError(f"there is no settings file {path}; check --config") from error
        text = None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {error}") from error
    settings = config.load(
        text,
        str(path),
        config.process_environment(),
        model=getattr(options, "model", None),
        base_url=getattr(options, "base_url", None),
        engine=getattr(options, "engine", None),
        sandbox=options.sandbox,
        max_attempts=getattr(options, "max_attempts", None),
        max_minutes=options.max_minutes,
        max_cost=getattr(options, "max_cost", None),
        candidates=getattr(options, "candidates", None),
        test_command=options.test_command,
    )
    if settings.engine == "model" and not settings.asked_model():
        raise ConfigError(
            f"--engine model needs a key in the variable {settings.model.api_key_env}; "
            "set it, or use --engine search, which needs none"
        )
    return settings


def secrets_of(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values that must never be written or sent: the keys, set-up secrets, and variables named like secrets."""
    found = [settings.model.api_key, *(provider.api_key for provider in settings.model.providers)]
    found += [value.decode("utf-8", "replace") for suite in settings.suites for value in suite.setup_secrets.values()]
    found += [value for name, value in environment.items() if _SECRET_NAME.search(name)]
    return tuple(dict.fromkeys(filter(None, found)))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private temporary folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="grokfix-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _shared_scratch() -> Path:
    """This user's folder for boxes of the process sandbox: the same every time, so that a killed run's are found."""
    folder = Path(tempfile.gettempdir()) / f"grokfix-boxes-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SandboxError(f"{folder} is not a private folder of this user; remove it, or set TMPDIR to another place")
    return folder


@contextmanager
def chosen_sandbox(settings: Settings) -> Iterator[Sandbox]:
    """The sandbox that settings ask for, closed at the end; `auto` is Docker, and never the machine itself."""
    kind = settings.sandbox.kind
    if kind == "process":
        from bot.adapters.local import ProcessSandbox

        yield ProcessSandbox(_shared_scratch())
        return
    from bot.adapters.docker import DockerSandbox

    cache = Path(settings.sandbox.image_cache) if settings.sandbox.image_cache else None
    try:
        sandbox = DockerSandbox.connect(cache)
    except SandboxError as error:
        if kind == "docker":
            raise
        raise SandboxError(
            f"{error}\nTo run the tests on this machine instead, without isolation, say --sandbox process."
        ) from error
    with sandbox:  # what a cancelled preparation made after the cancellation goes here
        yield sandbox


def suite_of(settings: Settings, sandbox: Sandbox, root: Path) -> SuiteSettings:
    """The suite to run; on the machine itself with an interpreter of the machine, in an image with the image's."""
    suite, *others = settings.suites
    if others:
        left = ", ".join(log(other.name) for other in others)
        print(f"Suite {log(suite.name)} is run; one run takes one suite, so these wait: {left}", file=sys.stderr)
    if sandbox.isolated:
        return replace(suite, interpreter="")
    return replace(suite, interpreter=suite.interpreter or _interpreter(root, config.process_environment()))


def job_of(request: Request, suite: SuiteSettings, root: Path) -> Job:
    """What to do, from the flags; reads the reports that they name."""
    from bot.commands.evidence import failing_cases

    return Job(
        suite=suite,
        wanted=failing_cases(request.junit, request.log, root),
        selectors=request.tests,
        good=request.good,
        hint=request.hint,
        include_work_tree=request.allow_dirty,
        trusted=True,  # a person runs this on a checkout of theirs
    )


def _interpreter(root: Path, environment: Mapping[str, str]) -> str:
    """Python that the process sandbox runs tests with: the project's own environment, the active one, this one."""
    folders = [root / ".venv", root / "venv"]
    folders += [Path(environment[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environment.get(name)]
    for folder in folders:
        python = folder / "bin" / "python"
        if python.exists():
            return str(python)
    return sys.executable


def open_repository(path: Path, scratch: Path, *, allow_dirty: bool) -> Repository:
    """The repository at `path`; ConfigError where tracked files have uncommitted changes and that was not allowed.

    Files that are merely new (a report, a cache) stand in nobody's way: they are left out, and that is said.
    """
    repository = Repository.open(path, scratch)
    if allow_dirty:
        return repository
    modified = repository.modified()
    if modified:
        raise ConfigError(
            f"{repository.root} has uncommitted changes in {len(modified)} files:{_listed(modified)}\n"
            "Commit or stash them, or say --allow-dirty to take them along (they are copied, never touched)."
        )
    untracked = [name for name in repository.dirty() if not _CACHE.search(name)]
    if untracked:
        print(
            f"Not taken along, for git does not know them (--allow-dirty takes them):{_listed(untracked)}",
            file=sys.stderr,
        )
    return repository


def _listed(names: Sequence[str]) -> str:
    return "".join(f"\n  {log(name)}" for name in names[:5]) + ("\n  …" if len(names) > 5 else "")


def tools_for(
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    recorder: Recorder,
    suite: SuiteSettings,
    redact: Callable[[str], str],
    model: Model | None = None,
    guidance: Mapping[str, str] | None = None,
) -> Tools:
    """Everything a run needs; `redact` takes secrets out of what is sent to a model.

    model: the one to ask; None for the one that the settings name. guidance: see bot.commands.proposers.Means.
    """
    clock = SystemClock()
    toolchain = PythonToolchain(suite)
    budget = Budget(settings.limits, clock)
    means = Means(settings, repository, toolchain, budget, clock, redact, model or model_of(settings, clock), guidance)
    return Tools(repository, sandbox, toolchain, recorder, clock, budget, proposers(means))


def model_of(settings: Settings, clock: Clock) -> Model | None:
    """The endpoints that may be asked, one behind the other; None where none is."""
    if not settings.asked_model():
        return None
    from bot.adapters.openai import OpenAIModel
    from bot.adapters.providers import Failover
    from bot.adapters.xai import XaiModel
    from bot.budget import load_prices

    prices = load_prices(settings.model.prices)
    models = [
        (XaiModel if endpoint.kind == "xai" else OpenAIModel)(endpoint, clock, prices)
        for endpoint in settings.model.endpoints()
    ]
    return models[0] if len(models) == 1 else Failover(models, clock)


@contextmanager
def interruptible(sandbox: Sandbox | None = None) -> Iterator[None]:
    """SIGINT and SIGTERM end running commands and raise KeyboardInterrupt; a second signal does nothing more."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        if sandbox is not None:
            sandbox.cancel()
        raise KeyboardInterrupt

    with _handled(stop):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """SIGINT and SIGTERM do nothing, save inside of `interruptible`: for what has to be told to its end."""
    # A handler and not SIG_IGN, which the programs that are started meanwhile would inherit.
    with _handled(lambda _number, _frame: None):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
