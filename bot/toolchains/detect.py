"""A checkout → image and set-up commands.

Order of installing: requirement files and test dependencies, pytest, and the project itself last and editable, so that
nothing fetched on the way replaces the code under test (a project that pytest itself depends on, say).
"""

from __future__ import annotations

import re
from pathlib import Path

from bot.config import SuiteSettings
from bot.errors import ConfigError
from bot.ports import SetUp
from bot.toolchains.project_files import ProjectFacts, read_project
from bot.toolchains.python_versions import choose

_PIP = ("python", "-m", "pip", "install")
_LOCKED = "/tmp/grokfix-locked.txt"  # noqa: S108 (inside the set-up container)
_POETRY = "/opt/grokfix-poetry"
_VERSION = "999.0"
"""Version of a project whose version comes from git, which a checkout without history cannot tell. High, because what
it is installed with asks for "at least"."""


def plan_set_up(tree: Path, suite: SuiteSettings, *, isolated: bool) -> SetUp:
    """Set-up of the suite in the clean checkout at `tree`; every part of `suite` that is set overrides detection.

    isolated False (the process sandbox): nothing is installed unless `suite.setup` says so.
    ConfigError where `suite.path` is no folder, pyproject.toml is broken, or no Python that we know is allowed.
    """
    folder = tree / suite.path
    if not folder.is_dir() or not folder.resolve().is_relative_to(tree.resolve()):
        raise ConfigError(f"suites[].path: {suite.path!r} is no folder of the repository")
    facts = read_project(folder) if isolated or not suite.setup else ProjectFacts()
    prefix = "" if suite.path in ("", ".") else suite.path.strip("/") + "/"
    detected = _commands(facts, prefix) if isolated else ()
    return SetUp(
        image=suite.image or (_image(facts) if isolated else ""),
        commands=detected if suite.setup is None else suite.setup,
        key_files=tuple(prefix + name for name in facts.key_files),
        environment=_environment(facts) if isolated else {},
        secrets=suite.setup_secrets,
        allow=suite.setup_allow,
        services=suite.services,
    )


def _image(facts: ProjectFacts) -> str:
    release = choose(facts.requires_python, facts.classifiers, facts.python_version_file)
    if release is None:
        raise ConfigError(
            f"requires-python {facts.requires_python[:80]!r} allows none of Python 3.9 to 3.14; set suites[].image to "
            "an image that has the right one"
        )
    return f"python:{release}" if facts.compiled else f"python:{release}-slim"


def _environment(facts: ProjectFacts) -> dict[str, str]:
    environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1"}
    wanted = " ".join((facts.backend, *facts.build_requires)).lower()
    if facts.name:
        # by name: the variable for all would also give its version to dependencies that are built from source
        suffix = re.sub(r"[-_.]+", "_", facts.name).upper()
        environment[f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{suffix}"] = _VERSION
    if facts.installable and (not facts.name or "hatch-vcs" in wanted):  # hatch-vcs asks without a name
        environment["SETUPTOOLS_SCM_PRETEND_VERSION"] = _VERSION
    for tool, variable in (
        ("pdm", "PDM_BUILD_SCM_VERSION"),
        ("pbr", "PBR_VERSION"),
        ("poetry-dynamic-versioning", "POETRY_DYNAMIC_VERSIONING_BYPASS"),
        ("uv-dynamic-versioning", "UV_DYNAMIC_VERSIONING_BYPASS"),
    ):
        if tool in wanted:
            environment[variable] = _VERSION
    return environment


def _commands(facts: ProjectFacts, prefix: str) -> tuple[tuple[str, ...], ...]:
    locked = _locked(facts, prefix)
    commands = list(locked or _requirement_commands(facts, prefix))
    commands.append((*_PIP, "pytest"))
    if facts.installable:
        target = f"./{prefix.rstrip('/')}" if prefix else "."
        if locked:
            commands.append((*_PIP, "--no-deps", "--editable", target))
        else:
            extras = f"[{','.join(facts.extras)}]" if facts.extras else ""
            commands.append((*_PIP, "--editable", target + extras))
    return tuple(commands)


def _requirement_commands(facts: ProjectFacts, prefix: str) -> tuple[tuple[str, ...], ...]:
    """Without a lock file: all that is named for tests, in one resolution."""
    arguments = [word for name in facts.requirements for word in ("-r", prefix + name)]
    arguments += facts.groups
    if not facts.installable:
        arguments += facts.dependencies
    if not facts.extras and not facts.groups and not _for_tests(facts.requirements):
        arguments += facts.tests_require or _prefixed(facts.tox, prefix)
    return ((*_PIP, *arguments),) if arguments else ()


def _for_tests(requirements: tuple[str, ...]) -> bool:
    return any(name != "requirements.txt" for name in requirements)


def _prefixed(arguments: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """tox's arguments with the files of its "-r" seen from the repository's root."""
    return tuple(prefix + word if at and arguments[at - 1] == "-r" else word for at, word in enumerate(arguments))


def _locked(facts: ProjectFacts, prefix: str) -> tuple[tuple[str, ...], ...]:
    """What a lock file pins, exported and installed by pip: into the interpreter that the tests run with."""
    folder = prefix.rstrip("/") or "."
    if "uv.lock" in facts.locks:
        wanted = [word for name in facts.group_names for word in ("--group", name)]
        wanted += [word for name in facts.extras for word in ("--extra", name)]
        export = ("uv", "export", "--project", folder, "--frozen", "--no-hashes", "--no-emit-project", "--quiet")
        return (
            (*_PIP, "uv"),
            ("python", "-m", *export, "--output-file", _LOCKED, *wanted),
            (*_PIP, "-r", _LOCKED),
        )
    if "poetry.lock" in facts.locks and facts.poetry:
        wanted = ["--with", ",".join(facts.poetry_groups)] if facts.poetry_groups else []
        wanted += [word for name in facts.extras for word in ("--extras", name)]
        exported = ("export", "--directory", folder, "--without-hashes", "--output", _LOCKED, *wanted)
        return (
            # in an environment of its own: the lock file may pin what Poetry itself runs on
            ("python", "-m", "venv", _POETRY),
            (f"{_POETRY}/bin/python", "-m", "pip", "install", "poetry", "poetry-plugin-export"),
            (f"{_POETRY}/bin/poetry", *exported),
            (*_PIP, "-r", _LOCKED),
        )
    return ()
