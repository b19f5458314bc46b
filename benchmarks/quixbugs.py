"""Repair without a model on QuixBugs' 40 Python programs: how many are plausible, how many right on fresh inputs.

    python benchmarks/quixbugs.py PATH_TO_A_QUIXBUGS_CLONE [PROGRAM…] [--minutes 2] [--at-once 2] [--patches FOLDER]

Each program becomes a git repository of its own (program, its tests, its data) and goes through the whole of
`grokfix repair --engine search --sandbox process`: base run, localization, search, every gate. *Plausible* means that
every gate was green for every failing test. *Right* means that the repaired program and QuixBugs' reference answer
alike on fresh inputs (quixbugs_inputs.py), none of which the search has seen. Nothing of QuixBugs is part of this
repository; the clone is only read.

Some of the broken programs never end, so that their tests need a limit. It is made from what the slowest test takes
with the reference, and is all that is taken from it before a program is repaired.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.budget import Budget
from bot.config import RepairLimits, Settings, SuiteSettings
from bot.errors import BotError
from bot.ports import EventKind, JsonValue, Recorder
from bot.propose.search.engine import SearchProposer
from bot.reproduce import Job, Stages, Tools
from bot.result import Result, RunOutcome
from bot.run import run
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import Runtime
from bot.workspace.git import Repository

LEAST_SECONDS, SLACK = 0.5, 4.0
"""Limit of one test, by pytest-timeout: at least, and as a multiple of the slowest test's time with the reference."""
INPUTS = 200
REVIEWED = (RunOutcome.REPAIRED, RunOutcome.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class Score:
    """One program. `right` None: not plausible, so not asked. `note`: the fix in a line, or why there is none."""

    program: str
    plausible: bool
    right: bool | None
    seconds: float
    tried: int
    new_test: bool
    note: str


class Silent:
    """A recorder that keeps nothing."""

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        del kind, data
        return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--minutes", type=float, default=2.0, help="budget of one program")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="programs repaired at a time")
    parser.add_argument("--patches", type=Path, help="folder for the patches and new tests")
    options = parser.parse_args()
    programs = options.programs or [
        path.stem.removeprefix("test_") for path in sorted((options.clone / "python_testcases").glob("test_*.py"))
    ]
    if not programs:
        parser.error(f"{options.clone} holds no python_testcases/test_*.py: is it a clone of QuixBugs?")
    scores = []
    began = time.monotonic()
    print("| program | plausible | right on fresh inputs | seconds | candidates | new test | what |")
    print("| --- | --- | --- | ---: | ---: | --- | --- |")
    with ThreadPoolExecutor(options.at_once) as pool:
        measured = partial(measure, options.clone.resolve(), minutes=options.minutes, patches=options.patches)
        for score in pool.map(measured, programs):
            scores.append(score)
            right = "" if score.right is None else mark(score.right)
            print(
                f"| {score.program} | {mark(score.plausible)} | {right} | {score.seconds:.1f} | {score.tried} "
                f"| {mark(score.new_test)} | {score.note} |",
                flush=True,
            )
    minutes = (time.monotonic() - began) / 60
    plausible = [score for score in scores if score.plausible]
    right_count = sum(1 for score in plausible if score.right)
    print(f"\n{len(scores)} programs: {len(plausible)} plausible, {right_count} right on fresh inputs", end="")
    if plausible:
        seconds = statistics.median(score.seconds for score in plausible)
        tried = statistics.median(score.tried for score in plausible)
        print(f"; of the plausible ones, median {seconds:.1f} s and {tried:.0f} candidates", end="")
    print(f". {minutes:.1f} minutes in all, {options.at_once} programs at a time.")
    return 0


def mark(value: bool) -> str:
    return "yes" if value else "no"


def measure(clone: Path, program: str, minutes: float, patches: Path | None) -> Score:
    with tempfile.TemporaryDirectory(prefix="quixbugs-") as name:
        folder = Path(name)
        tree = project(clone, program, folder / "project")
        began = time.monotonic()
        searches: list[SearchProposer] = []
        try:
            result = repair(tree, folder, minutes, searches)
        except BotError as error:
            return Score(program, False, None, time.monotonic() - began, 0, False, str(error).splitlines()[0])
        seconds = time.monotonic() - began
        tried = sum(search.total_tried for search in searches)
        whole = bool(result.repairs) and all(repair.outcome in REVIEWED for repair in result.repairs)
        new_test = any(repair.new_tests for repair in result.repairs)
        if patches is not None:
            keep(result, program, patches)
        if not whole or result.patch is None:
            messages = [repair.message for repair in result.repairs if repair.outcome not in REVIEWED]
            return Score(program, False, None, seconds, tried, new_test, one_line((messages or [result.message])[0]))
        subprocess.run(["git", "apply", "-"], cwd=tree, input=result.patch.encode(), check=True)
        causes = "; ".join(repair.root_cause for repair in result.repairs if repair.root_cause)
        right = agrees(clone, tree, program)
        return Score(program, True, right, seconds, tried, new_test, one_line(causes))


def project(clone: Path, program: str, tree: Path) -> Path:
    """One program with its tests and data, committed."""
    for folder, names in (
        ("python_programs", (f"{program}.py", "node.py")),
        ("python_testcases", (f"test_{program}.py", "load_testdata.py", "node.py")),
        ("json_testcases", (f"{program}.json",)),
    ):
        (tree / folder).mkdir(parents=True)
        for each in names:
            if (clone / folder / each).exists():
                shutil.copy(clone / folder / each, tree / folder / each)
    shutil.copy(clone / "conftest.py", tree)
    (tree / "pytest.ini").write_text(f"[pytest]\ntimeout = {limit(clone, program):.1f}\n")
    identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tree, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", program], cwd=tree, check=True)
    return tree


def limit(clone: Path, program: str) -> float:
    """Seconds that a test of the program may take."""
    with tempfile.TemporaryDirectory(prefix="quixbugs-reference-") as folder:
        report = Path(folder) / "report.xml"
        argv = [sys.executable, "-m", "pytest", "--correct", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
        argv += [f"--junitxml={report}", f"python_testcases/test_{program}.py"]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(argv, cwd=clone, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: the reference fails its own tests:\n{done.stdout[-2000:]}")
        cases = ElementTree.parse(report).iter("testcase")
        return LEAST_SECONDS + SLACK * max(float(case.get("time", "0")) for case in cases)


def repair(tree: Path, scratch: Path, minutes: float, searches: list[SearchProposer]) -> Result:
    suite = SuiteSettings(interpreter=sys.executable, seconds=120.0)
    settings = Settings(engine="search", limits=RepairLimits(minutes=minutes, attempts=10), suites=(suite,))
    clock = SystemClock()
    toolchain = PythonToolchain(suite)

    def proposer(runtime: Runtime, _recorder: Recorder) -> SearchProposer:
        searches.append(SearchProposer(toolchain, runtime, share_seconds=None, max_candidates=20_000, jobs=1))
        return searches[-1]

    tools = Tools(
        Repository.open(tree, scratch / "store"),
        ProcessSandbox(scratch / "boxes"),
        toolchain,
        Silent(),
        clock,
        Budget(settings.limits, clock),
        proposer,
    )
    return run(Job(suite, trusted=True), settings, tools, Stages(clock))


def agrees(clone: Path, tree: Path, program: str) -> bool:
    """Whether the repaired program answers fresh inputs as the reference does; asked in a process of its own."""
    script = Path(__file__).with_name("quixbugs_inputs.py")
    argv = [sys.executable, str(script), str(clone), str(tree), program, str(INPUTS)]
    try:
        told = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return False
    if told.returncode not in (0, 1):
        raise RuntimeError(f"{program}: fresh inputs could not be compared:\n{told.stderr}")
    if told.returncode == 1:
        print(f"  {program}: {told.stdout.strip()}", file=sys.stderr)
    return told.returncode == 0


def keep(result: Result, program: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if result.patch is not None:
        (folder / f"{program}.patch").write_text(result.patch)


def one_line(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= 140 else line[:139] + "…"


if __name__ == "__main__":
    sys.exit(main())
