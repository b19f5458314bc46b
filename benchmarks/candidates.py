"""Candidates validated per second, beside mutmut 3's mutants per second: same project, same tests, one worker each.

    python benchmarks/candidates.py [--candidates 600] [--rounds 3]

A small green project is made in a temporary folder. Both sides change one place at a time and run the tests that can
notice, up to the first that fails. mutmut makes mutants of its own rules, the search its repair candidates; what is
compared is how fast they are judged. Two clocks: the whole command (for mutmut with its making of mutants, its
statistics run and its checks; for the search with a fresh box, import, collection and a baseline), and the judging
alone (mutmut's own count of mutations a second; the worker's batch).
The project has no loop that a change could make endless: how long each side waits for those is a setting, not speed.
The two take turns, for the machine's load to be the same; medians are shown.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bot.adapters.local import ProcessEnvironment, ProcessSandbox
from bot.config import SuiteSettings
from bot.diagnose.types import Location
from bot.evidence.types import TestId
from bot.patch.types import Applied, Refusal
from bot.ports import Box, Limits, Overlay, RunResult, SetUp
from bot.propose.search.engine import read_text
from bot.propose.search.generate import generate
from bot.propose.search.validate import Plan, Validator, Work
from bot.toolchains.python import PythonToolchain

FUNCTIONS = """\
def clamp(value, low, high):
    if value < low:
        return low
    if value > high:
        return high
    return value


def digits(number):
    total = 0
    for character in str(number):
        total += int(character)
    return total


def runs(values):
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def binary_search(values, wanted):
    low, high = 0, len(values) - 1
    for _ in range(len(values)):
        if low > high:
            break
        middle = (low + high) // 2
        if values[middle] == wanted:
            return middle
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def roman(number):
    text = ""
    for value, letters in ((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        text += letters * (number // value)
        number = number % value
    return text
"""

TESTS = """\
import pytest
from counting.numbers import binary_search, clamp, digits, median, roman, runs


@pytest.mark.parametrize(("value", "expected"), [(1, 2), (2, 2), (3, 3), (4, 4), (9, 4)])
def test_clamp(value, expected):
    assert clamp(value, 2, 4) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (9, 9), (10, 1), (987, 24)])
def test_digits(number, expected):
    assert digits(number) == expected


@pytest.mark.parametrize(("text", "expected"), [("", []), ("aab", [["a", 2], ["b", 1]]), ("aba", [["a", 1]] * 0)])
def test_runs(text, expected):
    assert runs(text)[: len(expected)] == expected


@pytest.mark.parametrize(("values", "expected"), [([3], 3), ([1, 2], 1.5), ([9, 1, 5], 5), ([4, 1, 3, 2], 2.5)])
def test_median(values, expected):
    assert median(values) == expected


@pytest.mark.parametrize("wanted", range(7))
def test_binary_search(wanted):
    assert binary_search([0, 1, 2, 3, 4, 5], wanted) == (wanted if wanted < 6 else -1)


@pytest.mark.parametrize(("number", "expected"), [(1, "I"), (4, "IV"), (9, "IX"), (14, "XIV"), (38, "XXXVIII")])
def test_roman(number, expected):
    assert roman(number) == expected
"""

MUTMUT = """\
[tool.mutmut]
source_paths = ["counting"]
pytest_add_cli_args_test_selection = ["tests"]
also_copy = ["tests"]
"""


class Workbench:
    """`ports.Bench`: a place to open boxes in."""

    def __init__(self, tree: Path, environment: ProcessEnvironment) -> None:
        self.tree = tree
        self.environment = environment

    def try_patch(self, text: str) -> Applied | Refusal:
        raise NotImplementedError(text)

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        raise NotImplementedError(ids, overlay)

    def open(self, overlay: Overlay | None = None) -> Box:
        return self.environment.open(overlay)

    def seconds_left(self) -> float:
        return 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, theirs = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="candidates-") as name:
            ours.append(search(project(Path(name) / "search"), Path(name) / "boxes", options.candidates))
        with tempfile.TemporaryDirectory(prefix="candidates-") as name:
            theirs.append(mutmut(project(Path(name) / "mutmut")))
    print("| one worker | judged | a second, judging alone | a second, whole command |")
    print("| --- | ---: | ---: | ---: |")
    for label, rounds in (("search", ours), ("mutmut 3", theirs)):
        count, alone, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {label} | {count:.0f} | {alone:.1f} | {whole:.1f} |")
    ratios = [
        statistics.median(one[column] for one in ours) / statistics.median(one[column] for one in theirs)
        for column in (1, 2)
    ]
    print(f"\nRatio: {ratios[0]:.1f}× judging alone, {ratios[1]:.1f}× whole.")
    return 0


def project(tree: Path) -> Path:
    (tree / "counting").mkdir(parents=True)
    (tree / "tests").mkdir()
    (tree / "counting" / "__init__.py").touch()
    (tree / "counting" / "numbers.py").write_text(FUNCTIONS)
    (tree / "tests" / "test_numbers.py").write_text(TESTS)
    (tree / "pyproject.toml").write_text(MUTMUT)
    return tree


def search(tree: Path, scratch: Path, most: int) -> tuple[int, float, float]:
    """(how many, per second judging alone, per second in all) for our worker."""
    path = "counting/numbers.py"
    lines = range(1, len(FUNCTIONS.splitlines()) + 1)
    locations = [Location(path, line, "", 0.5, "") for line in lines]
    candidates = list(itertools.islice(generate(locations, lambda name: read_text(tree, name)), most))
    toolchain = PythonToolchain(SuiteSettings(interpreter=sys.executable))
    began = time.monotonic()
    with ProcessSandbox(scratch).set_up(SetUp(""), tree, Limits()) as environment:
        bench = Workbench(tree, environment)
        with environment.open() as box:
            runtime = toolchain.probe(box)
        with Validator(toolchain, runtime, bench, 1) as validator:
            tests = names()
            plan = Plan(tests, 0, tuple(0.25 for _ in tests), 20.0)
            measured = validator.measure(plan, 60.0)
            assert len(measured.tests) == len(tests) and all(one.passed for one in measured.tests)
            alone = time.monotonic()
            work = [Work(candidate, tuple(covering(tests, candidate.line)), 600.0) for candidate in candidates]
            trials = validator.validate(plan, work, 600.0)
            ended = time.monotonic()
    assert len(trials) == len(candidates), validator.fault
    return len(trials), len(trials) / (ended - alone), len(trials) / (ended - began)


def names() -> tuple[TestId, ...]:
    """The project's tests, as pytest itself lists them."""
    with tempfile.TemporaryDirectory(prefix="candidates-") as name:
        argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        told = subprocess.run(argv, cwd=project(Path(name) / "list"), capture_output=True, text=True, check=True)
    return tuple(TestId.from_node_id(line) for line in told.stdout.splitlines() if "::" in line)


def covering(tests: Sequence[TestId], line: int) -> list[int]:
    """Tests of the function that `line` stands in: what a spectrum would say, and what mutmut selects by."""
    above = FUNCTIONS.splitlines()[:line]
    function = next(found[1] for found in map(re.compile(r"def (\w+)").match, reversed(above)) if found)
    return [index for index, test in enumerate(tests) if test.name.partition("[")[0] == f"test_{function}"]


def mutmut(tree: Path) -> tuple[int, float, float]:
    """(how many, per second by its own count, per second in all) for mutmut with one child."""
    began = time.monotonic()
    argv = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1"]
    told = subprocess.run(argv, cwd=tree, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    counts = re.findall(r"(\d+)/(\d+) ", told.stdout)
    rates = re.findall(r"([\d.]+) mutations/second", told.stdout)
    if not counts or not rates or counts[-1][0] != counts[-1][1]:
        raise RuntimeError(
            f"mutmut did not finish (exit {told.returncode}):\n{told.stdout[-2000:]}{told.stderr[-2000:]}"
        )
    count = int(counts[-1][1])
    return count, float(rates[-1]), count / seconds


if __name__ == "__main__":
    sys.exit(main())
