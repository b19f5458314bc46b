"""Reads what a Python project's files say of its set-up: bounded, tolerant, nothing is ever executed."""

from __future__ import annotations

import ast
import configparser
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bot.errors import ConfigError

_MOST_BYTES = 2 << 20
_TEST_NAME = re.compile(r"tests?|testing|dev|develop|development|ci|unittests?|pytest", re.IGNORECASE)
_REQUIREMENTS = (
    "requirements.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
    "requirements/testing.txt",
    "requirements/dev.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "requirements-testing.txt",
    "requirements-dev.txt",
    "requirements_test.txt",
    "requirements_tests.txt",
    "requirements_dev.txt",
    "test-requirements.txt",
    "tests-requirements.txt",
    "test_requirements.txt",
    "dev-requirements.txt",
    "dev_requirements.txt",
    "tests/requirements.txt",
    "test/requirements.txt",
)

Toml: TypeAlias = "Mapping[str, Toml] | list[Toml] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What stands in the files of one folder.

    name: distribution name, "" where none. installable: `pip install -e` can be expected to work.
    extras: the test extras. groups: requirements of the test dependency groups. dependencies: requirements of a project
    that is not installable. requirements, key_files: paths relative to the folder. compiled: builds extension modules.
    poetry_groups: test groups of Poetry. backend: build-backend, "" where none is named.
    """

    name: str = ""
    requires_python: str = ""
    python_version_file: str = ""
    classifiers: tuple[int, ...] = ()
    installable: bool = False
    backend: str = ""
    build_requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    poetry: bool = False
    poetry_groups: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    tox: tuple[str, ...] = ()
    tests_require: tuple[str, ...] = ()
    compiled: bool = False
    key_files: tuple[str, ...] = ()
    locks: frozenset[str] = field(default_factory=frozenset)


def read_project(folder: Path) -> ProjectFacts:
    """Facts of the project in `folder`; ConfigError where pyproject.toml is no TOML, for nothing can install it."""
    toml = _pyproject(folder)
    config = _ini(folder / "setup.cfg")
    setup = _SetupCall.read(folder / "setup.py")
    project, build = _table(toml, "project"), _table(toml, "build-system")
    poetry = _table(toml, "tool", "poetry")
    requires = _strings(build.get("requires"))
    extras = [*_table(project, "optional-dependencies"), *_table(poetry, "extras"), *setup.extras]
    extras += list(config["options.extras_require"]) if config.has_section("options.extras_require") else []
    groups = _table(toml, "dependency-groups")
    chosen_groups = tuple(name for name in groups if _TEST_NAME.fullmatch(name))
    declared = config.get("options", "python_requires", fallback="") or setup.python_requires
    return ProjectFacts(
        name=_first(project.get("name"), poetry.get("name"), config.get("metadata", "name", fallback=""), setup.name),
        requires_python=_first(
            project.get("requires-python"), _table(poetry, "dependencies").get("python"), declared.replace("\n", ",")
        ),
        python_version_file=(_text(folder / ".python-version") or "").strip()[:40],
        classifiers=_minors(
            [
                *_strings(project.get("classifiers")),
                *_strings(poetry.get("classifiers")),
                *config.get("metadata", "classifiers", fallback="").splitlines(),
                *setup.classifiers,
            ]
        ),
        # a [project] without [build-system] is an application's dependency list: uv does not install it either
        installable=bool(build or setup.found or poetry)
        and poetry.get("package-mode") is not False
        and bool(project or poetry or setup.found or config.has_section("metadata") or "build-backend" in build),
        backend=_first(build.get("build-backend")),
        build_requires=requires,
        extras=tuple(dict.fromkeys(name for name in extras if _TEST_NAME.fullmatch(name))),
        groups=tuple(requirement for name in chosen_groups for requirement in _group(groups, name, ())),
        group_names=chosen_groups,
        dependencies=_requirements(_strings(project.get("dependencies"))),
        poetry=bool(poetry),
        poetry_groups=_poetry_groups(poetry),
        requirements=tuple(name for name in _REQUIREMENTS if _is_file(folder / name)),
        tox=_tox(folder, toml, config),
        tests_require=setup.tests_require,
        compiled=setup.compiled or any(_COMPILERS.match(requirement) for requirement in requires),
        key_files=_key_files(folder),
        locks=frozenset(name for name in ("uv.lock", "poetry.lock") if _is_file(folder / name)),
    )


_COMPILERS = re.compile(
    r"(?i)(cython|meson|scikit[-_]build|cffi|pybind11|nanobind|mypy|numpy|oldest-supported-numpy)\b"
)


def _key_files(folder: Path) -> tuple[str, ...]:
    names = ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "uv.lock", "poetry.lock", ".python-version")
    listed = sorted(path.relative_to(folder).as_posix() for path in folder.glob("requirements/*.txt"))
    wanted = dict.fromkeys((*names, "constraints.txt", *_REQUIREMENTS, *listed[:50]))
    return tuple(name for name in wanted if _is_file(folder / name))


def _is_file(path: Path) -> bool:
    """A regular file of its own: a link in a hostile checkout could lead anywhere."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _text(path: Path) -> str | None:
    if not _is_file(path) or path.stat().st_size > _MOST_BYTES:
        return None
    return path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n")


def _pyproject(folder: Path) -> Mapping[str, Toml]:
    try:
        return tomllib.loads(_text(folder / "pyproject.toml") or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"pyproject.toml is not valid TOML ({str(error)[:200]}), so no installer can read it; mend it, or set "
            "suites[].setup and suites[].image"
        ) from error


def _ini(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(_text(path) or "")
    except configparser.Error:
        return configparser.ConfigParser(interpolation=None)
    return parser


def _table(toml: Toml, *keys: str) -> Mapping[str, Toml]:
    for key in keys:
        toml = toml.get(key) if isinstance(toml, Mapping) else None
    return toml if isinstance(toml, Mapping) else {}


def _strings(value: Toml) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _first(*values: Toml) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")


def _minors(classifiers: Iterable[str]) -> tuple[int, ...]:
    matches = (re.fullmatch(r"\s*Programming Language :: Python :: 3\.(\d+)\s*", line) for line in classifiers)
    return tuple(sorted({int(match[1]) for match in matches if match}))


def _requirements(lines: Iterable[str]) -> tuple[str, ...]:
    """Requirements that can stand as arguments of pip; what looks like an option or is unresolved is left out."""
    cleaned = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return tuple(line for line in cleaned if line and not line.startswith("-") and "{" not in line)


def _group(groups: Mapping[str, Toml], name: str, above: tuple[str, ...]) -> tuple[str, ...]:
    """A dependency group with those it includes (PEP 735)."""
    items = groups.get(name)
    if not isinstance(items, list) or name in above or len(above) > 20:
        return ()
    found: list[str] = []
    for item in items:
        if isinstance(item, str):
            found += _requirements([item])
        elif isinstance(item, Mapping) and isinstance(included := item.get("include-group"), str):
            found += _group(groups, included, (*above, name))
    return tuple(dict.fromkeys(found))


def _poetry_groups(poetry: Mapping[str, Toml]) -> tuple[str, ...]:
    names = [name for name in _table(poetry, "group") if _TEST_NAME.fullmatch(name)]
    legacy = ["dev"] if _table(poetry, "dev-dependencies") else []
    return tuple(dict.fromkeys([*legacy, *names]))


# --- tox ------------------------------------------------------------------------------------------------------------


def _tox(folder: Path, toml: Mapping[str, Toml], setup_cfg: configparser.ConfigParser) -> tuple[str, ...]:
    """Arguments for pip from tox's base environment: requirements, and "-r", "file" pairs."""
    native = _table(toml, "tool", "tox")
    if native.get("env_run_base") is not None:
        return _tox_lines(folder, _strings(_table(native, "env_run_base").get("deps")))
    legacy = native.get("legacy_tox_ini")
    parser = _ini(folder / "tox.ini")
    if isinstance(legacy, str):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(legacy)
        except configparser.Error:
            return ()
    for section, source in (("testenv", parser), ("tox:testenv", setup_cfg)):
        if source.has_option(section, "deps"):
            return _tox_lines(folder, source.get(section, "deps").splitlines())
    return ()


def _tox_lines(folder: Path, lines: Iterable[str]) -> tuple[str, ...]:
    arguments: list[str] = []
    for line in lines:
        wanted = re.sub(r"\{\s*(toxinidir|tox_root)\s*\}[/\\]?", "", line).strip()
        conditional = re.match(r"[\w.,{}!-]+\s*:\s+(.*)", wanted)  # "py39: package" is for some environments only
        reference = re.fullmatch(r"-(?:r|-requirement)[\s=]*([\w./-]+)", wanted)
        if conditional:
            continue
        if reference and ".." not in reference[1] and not reference[1].startswith("/"):
            if _is_file(folder / reference[1]):  # a source archive often leaves the file of the test tools out
                arguments += ["-r", reference[1]]
        else:
            arguments += _requirements([wanted])
    return tuple(arguments)


# --- setup.py -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SetupCall:
    """Literal arguments of the `setup()` call; what is computed is not known."""

    found: bool = False
    name: str = ""
    python_requires: str = ""
    classifiers: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    tests_require: tuple[str, ...] = ()
    compiled: bool = False

    @classmethod
    def read(cls, path: Path) -> _SetupCall:
        text = _text(path)
        if text is None:
            return cls()
        try:
            module = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls(found=True)
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "setup":
                literal = {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
                extras, required = literal.get("extras_require"), literal.get("tests_require")
                return cls(
                    found=True,
                    name=_first(_toml(literal.get("name"))),
                    python_requires=_first(_toml(literal.get("python_requires"))),
                    classifiers=_strings(_toml(literal.get("classifiers"))),
                    extras=tuple(key for key in extras if isinstance(key, str)) if isinstance(extras, dict) else (),
                    tests_require=_requirements(_strings(_toml(required))),
                    compiled="ext_modules" in literal or "cffi_modules" in literal,
                )
        return cls(found=True, compiled="Extension(" in text)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _toml(value: object) -> Toml:
    """A literal as the other readers take it."""
    if isinstance(value, str):
        return value
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else None
