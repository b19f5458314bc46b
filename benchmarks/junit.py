"""JUnit reading: time and peak memory of this reader beside expat's floor, junitparser and lxml.

    python benchmarks/junit.py [--cases 400000] [--rounds 3]

A report is generated in a temporary folder; every reader runs in a child process of its own, rounds interleaved, and
prints what it counted. Seconds are the process's CPU time of reading alone (no imports), best of the rounds, and the
clock on the wall of that round beside it; peak is the child's whole resident size (VmHWM), interpreter and imports
included. Exit status 1 where a goal is missed or counts differ.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = "INFO shop.orders: order accepted, reservation made, invoice queued; "
FRAME = "src/shop/orders.py:{line}: in total\n    return sum(item.price for item in items) - discount\n"
ITERATOR_PEAK = 60.0
REPORT_PEAK = 200.0
FACTOR = 2.0


def generate(path: Path, cases: int) -> None:
    """Write `cases` cases as pytest does, 1 in 100 failing with a traceback, each with some captured output."""
    suffix = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">')
        file.write(f'<testsuite name="pytest" errors="0" failures="{cases // 100}" skipped="0" tests="{cases}">')
        for number in range(cases):
            module = number // 400
            file.write(
                f'<testcase classname="tests.unit.test_module_{module}.TestOrders" '
                f'name="test_total_is_right[{number % 400}-customer-{suffix}]" '
                f'file="tests/unit/test_module_{module}.py" line="{number % 900}" time="0.{number % 1000:03d}">'
            )
            if number % 100 == 0:
                text = "".join(FRAME.format(line=line) for line in range(20))
                file.write(
                    f'<failure message="AssertionError: assert {number} == {number + 1}">'
                    f"{text}E   AssertionError: assert {number} == {number + 1}</failure>"
                )
            file.write(f"<system-out>{OUTPUT * 5}{number}\n</system-out></testcase>")
        file.write("</testsuite></testsuites>")


def expat_alone(path: Path) -> tuple[int, int]:
    """The floor: expat's iterparse, parents dropped, nothing kept."""
    from xml.etree import ElementTree

    cases = failures = 0
    stack: list[ElementTree.Element] = []
    for event, element in ElementTree.iterparse(path, events=("start", "end")):
        if event == "start":
            stack.append(element)
            continue
        stack.pop()
        if element.tag == "testcase":
            cases += 1
            failures += element.find("failure") is not None
            stack[-1].remove(element)
    return cases, failures


def our_iterator(path: Path) -> tuple[int, int]:
    from bot.evidence.junit import iter_cases
    from bot.evidence.types import Outcome, Problem

    problems: list[Problem] = []
    cases = failures = 0
    failed = Outcome.FAILED
    with path.open("rb") as stream:
        for case in iter_cases(stream, path.name, problems):
            cases += 1
            failures += case.outcome is failed
    assert not problems, problems
    return cases, failures


def our_report(path: Path) -> tuple[int, int]:
    from bot.evidence.junit import read_junit

    report = read_junit([path])
    assert not report.problems, report.problems
    return len(report), len(report.failures())


def junitparser_whole(path: Path) -> tuple[int, int]:
    import junitparser

    cases = failures = 0
    for suite in junitparser.JUnitXml.fromfile(str(path)):
        for case in suite:
            cases += 1
            failures += any(isinstance(result, junitparser.Failure) for result in case.result)
    return cases, failures


def lxml_whole(path: Path) -> tuple[int, int]:
    from lxml import etree

    root = etree.parse(path, etree.XMLParser(huge_tree=True)).getroot()
    return sum(1 for _ in root.iter("testcase")), sum(1 for _ in root.iter("failure"))


READERS: dict[str, tuple[str, Callable[[Path], tuple[int, int]]]] = {
    "expat": ("expat iterparse, parents dropped (floor)", expat_alone),
    "iterator": ("grokfix `iter_cases`", our_iterator),
    "report": ("grokfix `read_junit` (whole `TestReport`)", our_report),
    "junitparser": ("junitparser, whole", junitparser_whole),
    "lxml": ("lxml DOM, `huge_tree`", lxml_whole),
}


def warm(name: str) -> None:
    """Import what the reader needs, so that reading alone is timed."""
    modules = {"iterator": "bot.evidence.junit", "report": "bot.evidence.junit", "lxml": "lxml.etree"}
    importlib.import_module(modules.get(name, "junitparser" if name == "junitparser" else "xml.etree.ElementTree"))


def child(name: str, path: Path) -> None:
    warm(name)
    # The process's own time: every reader is one thread without waiting (the file is in the page cache), and on a busy
    # machine the clock on the wall tells of the neighbours.
    wall, start = time.perf_counter(), time.process_time()
    cases, failures = READERS[name][1](path)
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    # VmHWM, not ru_maxrss: the latter is inherited from the parent across fork and exec.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024
    print(json.dumps({"seconds": seconds, "wall": wall, "peak": peak, "cases": cases, "failures": failures}))
    sys.stdout.flush()
    os._exit(0)  # freeing a whole tree is not part of reading


def measure(name: str, path: Path) -> dict[str, float]:
    result = subprocess.run(
        [sys.executable, __file__, "--child", name, "--path", str(path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and peak memory of JUnit readers.")
    parser.add_argument("--cases", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.path)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xml"
        generate(path, arguments.cases)
        size = path.stat().st_size / 1e6
        rounds = [{name: measure(name, path) for name in READERS} for _ in range(arguments.rounds)]
    best = {name: min((each[name] for each in rounds), key=lambda each: each["seconds"]) for name in READERS}
    peaks = {name: max(each[name]["peak"] for each in rounds) for name in READERS}
    floor = best["expat"]["seconds"]
    print(f"{arguments.cases:,} cases, {size:,.0f} MB, best of {arguments.rounds} rounds\n")
    print("| reader | CPU seconds | × floor | wall seconds | peak MiB | cases | failures |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for name, (title, _) in READERS.items():
        row = best[name]
        print(
            f"| {title} | {row['seconds']:.2f} | {row['seconds'] / floor:.2f} | {row['wall']:.2f} | {peaks[name]:.0f} "
            f"| {row['cases']:,.0f} | {row['failures']:,.0f} |"
        )
    counts = {(row["cases"], row["failures"]) for row in best.values()}
    goals = {
        f"iterator's peak ≤ {ITERATOR_PEAK:.0f} MiB": peaks["iterator"] <= ITERATOR_PEAK,
        f"iterator ≤ {FACTOR:.0f}× the floor": best["iterator"]["seconds"] <= FACTOR * floor,
        f"report's peak ≤ {REPORT_PEAK:.0f} MiB": peaks["report"] <= REPORT_PEAK,
        "all count the same": len(counts) == 1,
    }
    print()
    for goal, met in goals.items():
        print(f"- {goal}: {'met' if met else 'MISSED'}")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
