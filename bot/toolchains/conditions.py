"""Conditions of a run: which of them a runner can bring about, and how they reach the box."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import assert_never

from bot.config import SuiteSettings
from bot.errors import ConfigError
from bot.ports import JsonValue
from bot.toolchains.commands import Foreign, Pytest, TestCommand, Unittest
from bot.toolchains.types import PLAIN, Conditions, Runtime

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "GOMAXPROCS",
)
_OUTSIDE = frozenset({"hash_seed", "threads", "network"})  # of the command's environment, or of the box itself
_IN_PROCESS = {
    "in_order": "no fixed order of the tests",
    "repeat": "no repetition in one process",
    "clock": "no other clock",
    "offline": "no observed network",
    "directory_order": "no other order of directories",
    "thread_turns": "no other turns of threads",
}
_MOST_LOAD = 64
_MOST_REPEAT = 1000
_MOST_NEIGHBOURS = 16
_TURNS = ("", "often", "lines", "seldom")


def unsupported(command: TestCommand, runtime: Runtime, suite: SuiteSettings, conditions: Conditions) -> str:
    """Why `command` cannot run under `conditions`, "" where nothing is known against it before it is tried."""
    faults = _faults(conditions)
    if faults:
        return faults
    if conditions.workers and (conditions.in_order or conditions.repeat > 1 or conditions.neighbours):
        return "several workers keep no order"
    match command:
        case Pytest():
            return _no_xdist(runtime) if conditions.workers or conditions.neighbours else ""
        case Unittest():
            return "unittest has no parallel workers" if conditions.workers or conditions.neighbours else ""
        case Foreign():
            return _of_a_command(runtime, suite, conditions)
        case _:
            assert_never(command)


def _faults(conditions: Conditions) -> str:
    """What no runner could do."""
    if not 0 < conditions.cpu_share <= 1:
        return f"a share of {conditions.cpu_share:g} of the CPU is not between 0 and 1"
    if not 0 <= conditions.load <= _MOST_LOAD:
        return f"{conditions.load} busy processes are not between 0 and {_MOST_LOAD}"
    if not 1 <= conditions.repeat <= _MOST_REPEAT:
        return f"{conditions.repeat} repetitions are not between 1 and {_MOST_REPEAT}"
    if conditions.hash_seed is not None and not 0 <= conditions.hash_seed < 2**32:
        return f"{conditions.hash_seed} is no seed of Python's hashes (0 to 4294967295)"
    if conditions.thread_turns not in _TURNS:
        return f"threads take turns in no way called {conditions.thread_turns[:40]!r}"
    if not 0 <= conditions.neighbours <= _MOST_NEIGHBOURS:
        return f"{conditions.neighbours} neighbours are not between 0 and {_MOST_NEIGHBOURS}"
    if any(not 0 < port < 65536 for port in conditions.ports):
        return f"among the ports {conditions.ports} is one that is none"
    return ""


def _of_a_command(runtime: Runtime, suite: SuiteSettings, conditions: Conditions) -> str:
    """A pytest inside a command is reached by its plugin, unless the command writes its own report."""
    own_report = bool(suite.junit) or runtime.runner != "pytest"
    if conditions.workers and not suite.triage.workers:
        return "no option for parallel workers is known; name it with suites[].triage.workers"
    if conditions.neighbours:
        return f"only pytest itself can run other tests beside the selected ones, not the command {suite.test[0]!r}"
    if conditions.random_seed is not None and own_report and not suite.triage.shuffle:
        return "no option for a shuffle seed is known; name it with suites[].triage.shuffle"
    for name, words in _IN_PROCESS.items():
        if own_report and getattr(conditions, name) != getattr(PLAIN, name):
            return f"{words} can be had from the command {suite.test[0]!r}, which runs the tests in its own way"
    return ""


def _no_xdist(runtime: Runtime) -> str:
    return "" if "xdist" in runtime.plugins else "parallel workers need pytest-xdist, which the environment has not"


def variables(conditions: Conditions) -> dict[str, str]:
    """Environment variables of the run; its children inherit them."""
    told = {}
    if conditions.hash_seed is not None:
        told["PYTHONHASHSEED"] = str(conditions.hash_seed)
    if conditions.zone:
        told["TZ"] = conditions.zone
    if conditions.threads:
        told.update(dict.fromkeys(_THREADS, str(conditions.threads)))
    return told


def told(command: TestCommand, suite: SuiteSettings, conditions: Conditions) -> dict[str, JsonValue]:
    """What run.json says of them: those that differ from an ordinary run's and that the box brings about."""
    own_option = set()
    if isinstance(command, Foreign):
        own_option = {"workers"}
        if suite.triage.shuffle:
            own_option.add("random_seed")
    return {
        each.name: getattr(conditions, each.name)
        for each in fields(conditions)
        if each.name not in _OUTSIDE | own_option and getattr(conditions, each.name) != getattr(PLAIN, each.name)
    }


def words(suite: SuiteSettings, conditions: Conditions) -> tuple[str, ...]:
    """What a foreign command is given beside its own words (`suites[].triage`)."""
    added: list[str] = []
    if conditions.random_seed is not None:
        added += [_filled(word, "seed", conditions.random_seed) for word in suite.triage.shuffle]
    if conditions.workers:
        added += [_filled(word, "workers", conditions.workers) for word in suite.triage.workers]
    return tuple(added)


def _filled(word: str, name: str, value: int) -> str:
    return word.replace("{" + name + "}", str(value))


def check(reason: str, test: tuple[str, ...]) -> None:
    """ConfigError where `unsupported` gave a reason."""
    if reason:
        command = shlex.join(test) or "the test command"
        raise ConfigError(f"{command} cannot run under these conditions: {reason}")
