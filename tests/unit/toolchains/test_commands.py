"""Test commands as people write them."""

from __future__ import annotations

import pytest

from bot.toolchains.commands import Foreign, Pytest, TestCommand, Unittest, read_command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("pytest", Pytest(folder_first=False)),
        ("/venv/bin/pytest -x tests", Pytest(("-x", "tests"), folder_first=False)),
        ("python -m pytest -k total", Pytest(("-k", "total"))),
        ("python3.12 -W error -m pytest tests", Pytest(("tests",), ("-W", "error"))),
        ("python -m unittest discover -s t", Unittest(("discover", "-s", "t"))),
        ("uv run pytest -q", Pytest(("-q",), folder_first=False)),
        ("poetry run python -m pytest", Pytest()),
        ("uv run --extra test pytest tests", Pytest(("tests",), folder_first=False)),
        ("coverage run -m pytest tests", Pytest(("tests",))),
        ("coverage run --branch -m pytest tests", Pytest(("tests",))),
        ("python -m coverage run -m unittest", Unittest()),
        ("make test", Foreign(("make", "test"))),
        ("tox -e py", Foreign(("tox", "-e", "py"))),
        ("python run_tests.py", Foreign(("python", "run_tests.py"))),
        ("python -m", Foreign(("python", "-m"))),
        ("uv run make pytest", Foreign(("uv", "run", "make", "pytest"))),
        ("hatch run test", Foreign(("hatch", "run", "test"))),
    ],
)
def test_command(line: str, expected: TestCommand | None) -> None:
    assert read_command(tuple(line.split())) == expected
