"""How tests are collected, run and measured stays as it is."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.types import Grade, Objection

NAME = "test_configuration"

_FILES = re.compile(
    r"""
      conftest\.py | \.?pytest\.(?:ini|toml) | tox\.ini | tox\.toml | noxfile\.py | \.coveragerc | \.testr\.conf
    | (?:jest|vitest|karma|playwright|cypress|ava|wtr|web-test-runner|babel|nyc)\.(?:config|conf)\.[cm]?[jt]s(?:on)?
    | \.(?:mocharc|nycrc|taprc|c8rc)(?:\..+)? | phpunit\.xml(?:\.dist)? | \.rspec | codecov\.ya?ml | \.codecov\.ya?ml
    | sitecustomize\.py | usercustomize\.py | .+\.pth | runtests\.(?:py|sh)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SHADOWS = frozenset({"pytest", "_pytest", "unittest", "coverage", "pluggy", "hypothesis", "nose", "nose2", "mock"})
_TOOL_TABLES = ("pytest", "coverage", "tox", "nox", "hatch", "pdm", "poe", "taskipy", "mutmut")
_SECTIONS = re.compile(r"tool:pytest|pytest|coverage:.*|aliases|tox:.*|testenv.*|nosetests|options\.entry_points")


def check(subject: Subject) -> Iterator[Objection]:
    """By file, and by the tables that the runner reads where a file holds more than those."""
    for file in subject.files():
        reason = _reason(file)
        if reason is not None:
            yield Objection(NAME, file.path, f"{file.path} {reason}", Grade.BLOCKED)


def _reason(file: EditedFile) -> str | None:
    if _FILES.fullmatch(file.name):
        return "steers how tests are collected, run or measured"
    top = file.path.partition("/")[0].removesuffix(".py")
    if top in _SHADOWS and file.change.status == "A":
        return f"would be imported in place of {top}"
    if file.name == "pyproject.toml" and _toml(file.before) != _toml(file.after):
        return "changes a table that the test runner or its coverage reads"
    if file.name == "setup.cfg" and _sections(file.before) != _sections(file.after):
        return "changes a section that the test runner or its coverage reads"
    if file.name == "package.json" and _package(file.before) != _package(file.after):
        return "changes the scripts or the settings of the test runner"
    return None


def _toml(text: str | None) -> object:
    try:
        document = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    tool, project = document.get("tool"), document.get("project")
    tables = {name: tool.get(name) for name in _TOOL_TABLES} if isinstance(tool, dict) else {}
    points = project.get("entry-points") if isinstance(project, dict) else None
    return ({name: table for name, table in tables.items() if table is not None}, points)


def _sections(text: str | None) -> object:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return text
    return {name: dict(parser.items(name)) for name in parser.sections() if _SECTIONS.fullmatch(name)}


def _package(text: str | None) -> object:
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return text
    keys = ("scripts", "jest", "mocha", "nyc", "ava", "c8", "vitest", "tap")
    return {key: document.get(key) for key in keys} if isinstance(document, dict) else text
