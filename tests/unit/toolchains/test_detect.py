"""A checkout → image and set-up commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config import SuiteSettings
from bot.errors import ConfigError
from bot.ports import SetUp
from bot.toolchains.python import PythonToolchain


def plan(tree: Path, files: dict[str, str], suite: SuiteSettings | None = None, *, isolated: bool = True) -> SetUp:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    suite = suite or SuiteSettings()
    return PythonToolchain(suite).plan(tree, suite, isolated=isolated)


def lines(setup: SetUp) -> list[str]:
    return [re.sub(r"^python -m pip install", "pip", " ".join(command)) for command in setup.commands]


BUILD = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"test_x.py": ""}, ["pip pytest"], id="files only"),
        pytest.param(
            {
                "pyproject.toml": f'{BUILD}[project]\nname = "a"\n[project.optional-dependencies]\ntest = []\ndocs = []\n'
            },
            ["pip pytest", "pip --editable .[test]"],
            id="test extra",
        ),
        pytest.param(
            {
                "pyproject.toml": f'{BUILD}[project]\nname = "a"\n[dependency-groups]\n'
                'base = ["hypothesis>=6"]\ntests = ["attrs", {include-group = "base"}, "-e ."]\ndocs = ["sphinx"]\n'
            },
            ["pip attrs hypothesis>=6", "pip pytest", "pip --editable ."],
            id="dependency groups, one inside the other, no options of pip",
        ),
        pytest.param(
            {"pyproject.toml": '[project]\nname = "app"\ndependencies = ["requests>=2", "attrs"]\n'},
            ["pip requests>=2 attrs", "pip pytest"],
            id="an application is not built",
        ),
        pytest.param({"pyproject.toml": "[tool.black]\nline-length = 90\n"}, ["pip pytest"], id="tools only"),
        pytest.param(
            {
                "setup.py": "from setuptools import setup\nsetup(name='a', extras_require={'dev': ['x'], 'gpu': ['y']})\n"
            },
            ["pip pytest", "pip --editable .[dev]"],
            id="setup.py",
        ),
        pytest.param(
            {"setup.py": "import setuptools\nsetuptools.setup(tests_require=['responses'])\n"},
            ["pip responses", "pip pytest", "pip --editable ."],
            id="tests_require",
        ),
        pytest.param(
            {"setup.cfg": "[metadata]\nname = a\n[options.extras_require]\ntesting =\n    attrs\n", "setup.py": ""},
            ["pip pytest", "pip --editable .[testing]"],
            id="setup.cfg",
        ),
        pytest.param(
            {"requirements.txt": "attrs\n", "requirements-dev.txt": "pytest\n", "tox.ini": "[testenv]\ndeps = never\n"},
            ["pip -r requirements.txt -r requirements-dev.txt", "pip pytest"],
            id="requirement files; tox is asked last",
        ),
        pytest.param(
            {
                "setup.py": "setup()",
                "tox.ini": "[testenv]\ndeps =\n  attrs>=20  # why\n  py38: tomli\n  -r{toxinidir}/more.txt\n"
                "  -r ../../etc/passwd\n  {[base]deps}\n",
                "more.txt": "",
            },
            ["pip attrs>=20 -r more.txt", "pip pytest", "pip --editable ."],
            id="tox.ini",
        ),
        pytest.param(
            {"pyproject.toml": f'{BUILD}[project]\nname="a"\n[tool.tox.env_run_base]\ndeps = ["attrs", "flaky"]\n'},
            ["pip attrs flaky", "pip pytest", "pip --editable ."],
            id="tox in pyproject",
        ),
        pytest.param(
            {
                "pyproject.toml": f'{BUILD}[project]\nname="a"\n[dependency-groups]\ntest=["attrs"]\n',
                "uv.lock": "version = 1\n",
            },
            [
                "pip uv",
                "python -m uv export --project . --frozen --no-hashes --no-emit-project --quiet "
                "--output-file /tmp/grokfix-locked.txt --group test",
                "pip -r /tmp/grokfix-locked.txt",
                "pip pytest",
                "pip --no-deps --editable .",
            ],
            id="uv.lock",
        ),
        pytest.param(
            {
                "pyproject.toml": '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.9"\n'
                '[tool.poetry.group.dev.dependencies]\nattrs = "*"\n[tool.poetry.group.docs.dependencies]\nx = "*"\n',
                "poetry.lock": "",
            },
            [
                "python -m venv /opt/grokfix-poetry",
                "/opt/grokfix-poetry/bin/python -m pip install poetry poetry-plugin-export",
                "/opt/grokfix-poetry/bin/poetry export --directory . --without-hashes "
                "--output /tmp/grokfix-locked.txt --with dev",
                "pip -r /tmp/grokfix-locked.txt",
                "pip pytest",
                "pip --no-deps --editable .",
            ],
            id="poetry.lock",
        ),
    ],
)
def test_commands(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    setup = plan(tmp_path, files)
    assert lines(setup) == expected
    assert set(setup.key_files) <= set(files)
    assert {"pyproject.toml", "setup.py", "uv.lock", "poetry.lock", "requirements.txt"} & set(files) <= set(
        setup.key_files
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "python:3.13-slim"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.9,<3.12"\n'}, "python:3.11-slim"),
        ({".python-version": "3.12.1\n"}, "python:3.12-slim"),
        ({"setup.cfg": "[options]\npython_requires = >=3.9,<3.11\n"}, "python:3.10-slim"),
        ({"setup.py": "setup(python_requires='<3.13')"}, "python:3.12-slim"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.11"\n'}, "python:3.11-slim"),
        ({"pyproject.toml": '[build-system]\nrequires = ["Cython>=3", "setuptools"]\n'}, "python:3.13"),
        ({"setup.py": "setup(ext_modules=[Extension('a', ['a.c'])])"}, "python:3.13"),
    ],
)
def test_image(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert plan(tmp_path, files).image == expected


def test_settings_override_detection(tmp_path: Path) -> None:
    suite = SuiteSettings(image="mine:1", setup=(("make", "deps"),), setup_allow=("mirror",))
    setup = plan(tmp_path, {"pyproject.toml": BUILD}, suite)
    assert (setup.image, setup.commands, setup.allow) == ("mine:1", (("make", "deps"),), ("mirror",))


def test_the_process_sandbox_installs_nothing_by_itself(tmp_path: Path) -> None:
    assert plan(tmp_path, {"requirements.txt": "attrs\n"}, isolated=False).commands == ()
    suite = SuiteSettings(setup=(("make",),))
    assert plan(tmp_path, {}, suite, isolated=False).commands == (("make",),)


def test_a_suite_in_a_folder(tmp_path: Path) -> None:
    files = {"api/pyproject.toml": f'{BUILD}[project]\nname = "api"\n', "api/requirements.txt": "attrs\n"}
    setup = plan(tmp_path, files, SuiteSettings(path="api"))
    assert lines(setup) == ["pip -r api/requirements.txt", "pip pytest", "pip --editable ./api"]
    assert setup.key_files == ("api/pyproject.toml", "api/requirements.txt")


def test_a_version_from_git_is_given_to_this_project_alone(tmp_path: Path) -> None:
    files = {"pyproject.toml": '[build-system]\nrequires = ["setuptools-scm"]\n[project]\nname = "My.Pro-ject"\n'}
    names = [name for name in plan(tmp_path, files).environment if "SCM" in name]
    assert names == ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_PRO_JECT"]
    files["pyproject.toml"] = files["pyproject.toml"].replace("setuptools-scm", "hatch-vcs")
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" in plan(tmp_path, files).environment


@pytest.mark.parametrize(
    ("files", "suite", "part"),
    [
        ({"pyproject.toml": "[project\n"}, SuiteSettings(), "not valid TOML"),
        ({"pyproject.toml": '[project]\nrequires-python = "<3"\n'}, SuiteSettings(), "suites[].image"),
        ({}, SuiteSettings(path="nowhere"), "no folder of the repository"),
        ({}, SuiteSettings(path="../.."), "no folder of the repository"),
    ],
)
def test_refusals(tmp_path: Path, files: dict[str, str], suite: SuiteSettings, part: str) -> None:
    with pytest.raises(ConfigError, match=part.replace("[", r"\[").replace("]", r"\]")):
        plan(tmp_path, files, suite)


def test_hostile_files_are_read_as_text_and_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "requirements.txt").symlink_to(secret)
    (tree / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + "(" * 5000)
    (tree / "tox.ini").write_bytes(b"\xff\xfe[testenv\n")
    (tree / "pyproject.toml").write_text("[dependency-groups]\ntest = [{include-group = 'test'}, 3, {x = 1}]\n")
    setup = plan(tree, {})
    assert lines(setup) == ["pip pytest", "pip --editable ."]
    assert "requirements.txt" not in setup.key_files
    assert not (tmp_path / "ran").exists()
