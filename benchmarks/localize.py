"""What a spectrum costs: a suite of small tests run plainly, through grokfix without and with lines per test, and with
coverage.py's dynamic contexts, which tell the same.

    python benchmarks/localize.py [--python INTERPRETER] [--tests 500] [--rounds 5]

INTERPRETER needs pytest, pytest-cov and coverage. Rounds are interleaved. Printed as a Markdown table: the median of
processor seconds (user and system, all processes of the run) with its ratio to the plain run, and of wall-clock
seconds, which other work on the machine disturbs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.ports import Box, Command, Environment, Execution, Limits
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import Runtime

MODULES = 20
SECONDS = 600.0

MODULE = """
def weigh(items):
    total = 0
    for index, item in enumerate(items):
        if item % 3 == 0:
            total += item * index
        elif item % 3 == 1:
            total -= item
        else:
            total += 1
    return total


def sift(items):
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return sorted(found, key=lambda value: (value % 7, value))


class Ledger:
    def __init__(self):
        self.entries = []

    def add(self, amount):
        if amount == 0:
            raise ValueError("nothing to add")
        self.entries.append(amount)
        return self

    def balance(self):
        return sum(self.entries)
"""

TESTS = """
import pytest

from shop.part{number} import Ledger, sift, weigh


@pytest.mark.parametrize("size", range({count}))
def test_part(size):
    items = [(size * 31 + index * 17) % 101 for index in range(200)]
    assert isinstance(weigh(items), int)
    assert sift(items) == sift(list(reversed(items)))
    ledger = Ledger()
    for item in items:
        ledger.add(item + 1)
    assert ledger.balance() == sum(items) + 200
"""


def write_project(folder: Path, tests: int) -> None:
    """A project of 20 modules and `tests` small tests that spend their time in it, as small tests do."""
    (folder / "shop").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "shop" / "__init__.py").touch()
    for number in range(MODULES):
        count = tests // MODULES + (number < tests % MODULES)
        (folder / "shop" / f"part{number}.py").write_text(MODULE)
        (folder / "tests" / f"test_part{number}.py").write_text(TESTS.format(number=number, count=count))
    (folder / "coverage.ini").write_text("[run]\nsource = shop\ndynamic_context = test_function\n")


def plain(runtime: Runtime, box: Box, *options: str) -> Execution:
    argv = (runtime.interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options)
    return box.execute(Command(argv, SECONDS, {"PYTHONDONTWRITEBYTECODE": "1"}))


def ours(toolchain: PythonToolchain, runtime: Runtime, box: Box, *, spectrum: bool) -> Execution:
    plan = toolchain.run_plan(runtime, box, None, seconds=SECONDS, spectrum=spectrum)
    box.put(plan.files)
    execution = box.execute(plan.command)
    problem = toolchain.read(box, execution, None).problem
    hits = toolchain.read_hits(box)
    if problem or (spectrum and (hits is None or not hits.lines)):
        raise SystemExit(f"the run cannot be measured: {problem or 'no lines'}\n{execution.output[-2000:]}")
    return execution


def processor_seconds() -> float:
    """Of all ended children and what they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(environment: Environment, toolchain: PythonToolchain, rounds: int) -> dict[str, tuple[float, float]]:
    """Way → median processor and wall-clock seconds."""
    with environment.open() as box:
        runtime = toolchain.probe(box)
    ways: dict[str, Callable[[Box], Execution]] = {
        "pytest": lambda box: plain(runtime, box),
        "pytest --junitxml": lambda box: plain(runtime, box, f"--junitxml={box.control}/plain.xml"),
        "grokfix, no spectrum": lambda box: ours(toolchain, runtime, box, spectrum=False),
        "grokfix, lines per test": lambda box: ours(toolchain, runtime, box, spectrum=True),
        "pytest-cov, contexts": lambda box: plain(
            runtime, box, "--cov=shop", "--cov-config=coverage.ini", "--cov-context=test", "--cov-report="
        ),
    }
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            with environment.open() as box:
                before = processor_seconds()
                execution = run(box)
                used = processor_seconds() - before
            if execution.exit_code:
                raise SystemExit(f"{way}: exit {execution.exit_code}\n{execution.output[-2000:]}")
            taken[way].append((used, execution.seconds))
    return {
        way: (statistics.median(used for used, _ in pairs), statistics.median(wall for _, wall in pairs))
        for way, pairs in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure")
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "project"
        write_project(tree, options.tests)
        suite = SuiteSettings(interpreter=options.python)
        toolchain = PythonToolchain(suite)
        sandbox = ProcessSandbox(Path(scratch) / "boxes")
        plan = toolchain.plan(tree, suite, isolated=False)
        with sandbox.set_up(plan, tree, Limits()) as environment:
            medians = measure(environment, toolchain, options.rounds)
    print("| run | processor s | ratio | wall-clock s |\n| --- | --- | --- | --- |")
    for way, (used, wall) in medians.items():
        print(f"| {way} | {used:.2f} | {used / medians['pytest'][0]:.2f} | {wall:.2f} |")


if __name__ == "__main__":
    main()
