"""The zoo of flaky projects (tests/zoo): is the cause of each named right, and what do controls show?

python benchmarks/triage.py causes [PROJECT…]      experiments on each known suspect, and on each control's first test
python benchmarks/triage.py screening [PROJECT…]   reruns until the sequential test decides: what they notice
python benchmarks/triage.py peers [PROJECT…]       plain reruns and the plugins that are installed: what they notice
python benchmarks/triage.py table                  what was measured so far, as Markdown

Everything runs in the process sandbox, one after the other. Results are appended to --results as they come, one JSON
object a line; what is there already is not measured again. Peers are pytest plugins from PyPI, in the environment of
--python: pytest-repeat, pytest-flakefinder, pytest-randomly, pytest-rerunfailures; those that are missing are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.evidence.types import TestId
from bot.flaky.examine import examine
from bot.flaky.experiments.series import Suspect
from bot.flaky.rerun import Limits, screen
from tests.zoo_runs import ZOO, truths, zoo_lab

FIXED = 93
"""Runs of a test of fixed size with the error bounds of the sequential one (p0 = 0.001, p1 = 0.05, α = 0.01, β = 0.05):
the least n at which some number of failures tells the two rates apart; that number is 2."""

SCREENING = "grokfix, screening"

_LINE = re.compile(r"^(FAILED|ERROR) (\S+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("causes", "screening", "peers", "table"))
    parser.add_argument("projects", nargs="*", help="names below tests/zoo; default: all")
    parser.add_argument("--results", type=Path, default=Path("triage.jsonl"))
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers' plugins")
    parser.add_argument("--runs", type=int, default=FIXED, help="of each peer")
    options = parser.parse_args()
    projects = options.projects or list(truths())
    if options.what == "table":
        print(table(list(results(options.results))))
        return 0
    known = {(each["what"], each["project"], each["subject"]) for each in results(options.results)}
    for project in projects:
        match options.what:
            case "causes":
                jobs = causes(project, known)
            case "screening":
                jobs = screening(project, known)
            case _:
                jobs = peers(project, known, options.python, options.runs)
        for line in jobs:
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
    return 0


def results(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def causes(project: str, known: set[tuple[object, ...]]) -> Iterator[Mapping[str, object]]:
    """One line a suspect. A control has no suspect: its first test is taken, as if somebody had complained of it."""
    truth = truths()[project]
    for test in truth or (None,):
        if ("cause", project, "control" if test is None else str(test)) in known:
            continue
        began = time.monotonic()
        with zoo_lab(project, minutes=30) as lab:
            suspect: TestId = lab.suite[0] if test is None else test
            finding = examine(Suspect(suspect), lab)
            expected = "" if test is None else truth[test].cause
            named = [proof.cause.value for proof in finding.proofs]
            exact = test is None or all(
                (not truth[test].polluters or [each.node_id for each in proof.polluters] == list(truth[test].polluters))
                and (not truth[test].setters or [each.node_id for each in proof.setters] == list(truth[test].setters))
                for proof in finding.proofs
            )
            yield {
                "what": "cause",
                "project": project,
                "subject": "control" if test is None else str(test),
                "expected": expected,
                "named": named,
                "exact": exact,
                "runs": lab.runs,
                "seconds": round(time.monotonic() - began, 1),
                "details": [proof.detail for proof in finding.proofs],
                "counts": [
                    [[trial.counts.failures, trial.counts.runs] for trial in proof.trials] for proof in finding.proofs
                ],
                "tried": {each.cause.value: each.why for each in finding.tried},
                "cut": finding.cut,
            }


def screening(project: str, known: set[tuple[object, ...]]) -> Iterator[Mapping[str, object]]:
    """What `screen` sees in the project's own and in shuffled orders; a test is left out once it is decided."""
    if ("peer", project, SCREENING) in known:
        return
    truth = {test.node_id for test in truths()[project]}
    began = time.monotonic()
    with zoo_lab(project, minutes=30) as lab:
        seen = screen(lab, None, Limits(FIXED))
        suspects = {test.node_id for test in seen.suspects}
        yield {
            "what": "peer",
            "project": project,
            "subject": SCREENING,
            "flaky": sorted(suspects),
            "right": sorted(suspects & truth),
            "wrong": sorted(suspects - truth),
            "of": len(truth),
            "runs": sum(counts.runs for counts in seen.counts.values()) / max(1, len(seen.counts)),
            "seconds": round(time.monotonic() - began, 1),
            "stopped": seen.stopped,
        }


def peers(project: str, known: set[tuple[object, ...]], python: str, runs: int) -> Iterator[Mapping[str, object]]:
    """What each peer sees: tests that both passed and failed in `runs` runs."""
    plain = ["-p", "no:randomly"]
    there = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    ).stdout
    installed = {each["name"].lower() for each in json.loads(there)}
    ways: dict[str, tuple[list[str], int]] = {"plain reruns": (plain, runs)}
    if "pytest-repeat" in installed:
        ways["pytest-repeat, one process"] = ([*plain, f"--count={runs}"], 1)
    if "pytest-flakefinder" in installed:
        ways["pytest-flakefinder, one process"] = ([*plain, "--flake-finder", f"--flake-runs={runs}"], 1)
    if "pytest-randomly" in installed:
        ways["pytest-randomly, rerun"] = ([], runs)
    if "pytest-rerunfailures" in installed:
        ways["pytest-rerunfailures"] = ([*plain, "--reruns=5"], 1)
    truth = truths()[project]
    for way, (arguments, times) in ways.items():
        if ("peer", project, way) in known:
            continue
        began = time.monotonic()
        seen = _both_outcomes(project, python, arguments, times)
        yield {
            "what": "peer",
            "project": project,
            "subject": way,
            "flaky": sorted(seen),
            "right": sorted(seen & {test.node_id for test in truth}),
            "wrong": sorted(seen - {test.node_id for test in truth}),
            "of": len(truth),
            "runs": runs,
            "seconds": round(time.monotonic() - began, 1),
        }


def _both_outcomes(project: str, python: str, arguments: list[str], times: int) -> set[str]:
    failed: dict[str, int] = {}
    ran: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / project
        shutil.copytree(ZOO / project, place)
        for _ in range(times):
            command = [python, "-m", "pytest", "-v", "-rA", "-p", "no:cacheprovider", "--rootdir=.", *arguments]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            for line in done.stdout.splitlines():
                match = re.match(r"(\S+::\S+?)(\[[^\]]*\])? (PASSED|FAILED|ERROR|RERUN)\b", line)
                if match is None:
                    continue
                # A repetition is written as a parameter of the test: "[3-10]", "[a-3-10]".
                parameters = re.sub(r"(?:^|-)(?:flake_run)?\d+(?:-\d+)?\]$", "]", (match[2] or "[]")[1:])
                name = match[1] if parameters == "]" else match[1] + "[" + parameters
                name = match[1] + (match[2] or "") if times > 1 or "--reruns=5" in arguments else name
                ran[name] = ran.get(name, 0) + 1
                failed[name] = failed.get(name, 0) + (match[3] != "PASSED")
    return {name for name, count in ran.items() if 0 < failed[name] < count}


def table(lines: list[dict[str, object]]) -> str:
    told = [each for each in lines if each["what"] == "cause"]
    out = ["| project | cause | named | runs | seconds |", "| --- | --- | --- | ---: | ---: |"]
    for each in told:
        named = ", ".join(dict.fromkeys(map(str, each["named"]))) or "none"  # type: ignore[call-overload]
        out.append(
            f"| {each['project']} | {each['expected'] or '(control)'} | {named} | {each['runs']} | {each['seconds']} |"
        )
    ways = dict.fromkeys(str(each["subject"]) for each in lines if each["what"] == "peer")
    out += [
        "",
        "| way | projects | noticed | false alarms | runs of a test | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for way in ways:
        rows = [each for each in lines if each["what"] == "peer" and each["subject"] == way]
        right, of = sum(len(each["right"]) for each in rows), sum(int(str(each["of"])) for each in rows)  # type: ignore[arg-type]
        wrong = sum(len(each["wrong"]) for each in rows)  # type: ignore[arg-type]
        seconds = sum(float(str(each["seconds"])) for each in rows)
        runs = sum(float(str(each["runs"])) for each in rows) / len(rows)
        out.append(f"| {way} | {len(rows)} | {right} of {of} | {wrong} | {runs:.1f} | {seconds:.0f} |")
    return "\n".join(out)


if __name__ == "__main__":
    raise SystemExit(main())
