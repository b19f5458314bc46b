"""Flaky tests repaired by templates, no model asked: how many, and is the change right?

python benchmarks/flaky_repair.py zoo [PROJECT…]     the flaky tests of tests/zoo
python benchmarks/flaky_repair.py fresh [PROJECT…]   projects that were written after the templates
python benchmarks/flaky_repair.py table              what was measured so far, as Markdown

Everything runs in the process sandbox, one after the other. The experiment of the test's own cause makes the proof
(whether the cause would be found is benchmarks/triage.py's figure), then the test is repaired as by `grokfix triage
--fix`, with its 10 clean runs under the provocation and 59 ordinary ones. Results are appended to --results as they
come, one JSON object a line; what is there already is not measured again.

*Right* is decided without grokfix's gates: the patched project passes all of this,
  places      only files change in which a right repair can lie (benchmarks/flaky_repair_projects.py), and in existing
              tests no assertion;
  hidden      the whole suite and tests that the repair did not see pass;
  provoked    0 of 5 under the provocation of the proof;
  otherwise   0 failures under provocations of its kind that the repair did not see: 40 other hash seeds, other orders,
              all zones, all edges of the calendar, folders sorted and reversed.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.flaky_repair_projects import FRESH, ZOO, Right
from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.commands.compose import tools_for
from bot.config import Settings, SuiteSettings
from bot.evidence.types import TestId
from bot.flaky.bench_lab import BenchLab
from bot.flaky.experiments.calendar import ZONES, calendar_edges
from bot.flaky.experiments.clues import EXPERIMENTS
from bot.flaky.experiments.series import Series, Suspect
from bot.flaky.lab import Ran
from bot.flaky.mend.base import Wavering
from bot.flaky.types import Cause, Counts, Finding, Proof
from bot.mend import Plan, mend
from bot.ports import EventKind
from bot.reproduce import Job, Stages
from bot.result import RepairResult
from bot.toolchains.types import Conditions
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import MemoryRecorder
from tests.zoo_runs import LEAN, lab_of, truths, zoo_files

_MINUTES = 30.0
_PROVOKED = 5
_SEEDS = range(100, 140)


@dataclass(frozen=True, slots=True)
class Case:
    """One flaky test. of: "zoo" or "fresh"."""

    of: str
    project: str
    test: TestId
    cause: Cause
    right: Right
    files: Mapping[str, bytes | str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("zoo", "fresh", "table"))
    parser.add_argument("projects", nargs="*", help="names; default: all")
    parser.add_argument("--results", type=Path, default=Path("flaky_repair.jsonl"))
    options = parser.parse_args()
    lines = list(results(options.results))
    if options.what == "table":
        print(table(lines))
        return 0
    known = {(each["of"], each["project"], each["test"]) for each in lines}
    for case in cases(options.what, options.projects):
        if (case.of, case.project, case.test.node_id) in known:
            continue
        line = json.dumps(measured(case))
        with options.results.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)
    return 0


def results(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def cases(what: str, projects: Sequence[str]) -> Iterator[Case]:
    if what == "fresh":
        for name in projects or FRESH:
            fresh = FRESH[name]
            test = TestId.from_node_id(fresh.test)
            yield Case("fresh", name, test, Cause(fresh.cause), fresh.right, fresh.files)
        return
    for name in projects or [name for name, tests in truths().items() if tests]:
        for test, truth in truths()[name].items():
            yield Case("zoo", name, test, Cause(truth.cause), ZOO[name], zoo_files(name))


def measured(case: Case) -> Mapping[str, object]:
    """Prove, repair, hold against the oracle."""
    began = time.monotonic()
    line: dict[str, object] = {
        "of": case.of,
        "project": case.project,
        "test": case.test.node_id,
        "cause": case.cause.value,
    }
    finding, suite, why, runs = proven(case)
    line["proof_runs"], line["proof_seconds"] = runs, round(time.monotonic() - began, 1)
    wavering = None if finding is None else Wavering.of(finding, Counts(), {})
    if wavering is None:
        return {**line, "outcome": "not proven", "message": why}
    began = time.monotonic()
    recorder = MemoryRecorder()
    repair = repaired(case, wavering, recorder)
    line |= {
        "outcome": repair.outcome.value,
        "message": repair.message,
        "attempts": len(repair.attempts),
        "runs": sum(each["phase"] == "finished" for each in recorder.of(EventKind.SANDBOX_RUN)),
        "seconds": round(time.monotonic() - began, 1),
        "patch": repair.patch,
    }
    if repair.patch is not None:
        wrong = list(faults(case, wavering.proof, suite, repair.patch))
        line |= {"right": not wrong, "wrong": wrong}
    return line


def proven(case: Case) -> tuple[Finding | None, tuple[TestId, ...], str, int]:
    """The experiment of the cause; None and why where it proved nothing."""
    with lab_of(case.project, case.files, minutes=_MINUTES) as lab:
        if case.test not in lab.suite:
            return None, lab.suite, f"the suite has no {case.test.node_id}", lab.runs
        series = Series(lab, Suspect(case.test))
        series.alone()
        found = EXPERIMENTS[case.cause](series)
        if not isinstance(found, tuple):
            return None, lab.suite, found.why, lab.runs
        return Finding(case.test, found, ()), lab.suite, "", lab.runs


def repaired(case: Case, wavering: Wavering, recorder: MemoryRecorder) -> RepairResult:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        repository = Repository.open(repositories.make(root / "project", case.files), root / "scratch")
        suite = SuiteSettings(interpreter=sys.executable, test=LEAN)
        settings = Settings()
        settings = replace(settings, limits=replace(settings.limits, minutes=_MINUTES))
        tools = tools_for(settings, repository, ProcessSandbox(root / "boxes"), recorder, suite, str)
        plan = Plan((wavering,), asks=False)
        (repair,) = mend(plan, Job(suite), settings, tools, Stages(SystemClock())).repairs
        return repair


# --- the oracle -----------------------------------------------------------------------------------------------------


def faults(case: Case, proof: Proof, suite: tuple[TestId, ...], patch: str) -> Iterator[str]:
    """What is not right about the patched project; nothing where all is."""
    files, changed = patched(case.files, patch)
    if outside := sorted(set(changed) - set(case.right.places)):
        yield f"places: changes {', '.join(outside)}"
    for path in changed:
        if "test" in path and expectations(case.files[path]) != expectations(files[path]):
            yield f"places: {path} expects something else now"
    if case.right.hidden:
        files["test_hidden_from_the_repair.py"] = case.right.hidden
    with lab_of(case.project, files, minutes=_MINUTES) as lab:
        whole = lab.run(None, purpose="oracle: the whole suite")
        if not isinstance(whole, Ran):
            yield f"hidden: the suite gave no report: {whole.problem}"
            return
        if whole.record.failed:
            yield f"hidden: {', '.join(test.node_id for test in whole.record.failed)}"
        if lost := set(suite) - set(whole.record.tests):
            yield f"hidden: {', '.join(test.node_id for test in lost)} did not run"
        trial = proof.provocation
        for _ in range(_PROVOKED):
            if fails(lab, case.test, trial.tests, trial.conditions):
                yield "provoked: it failed"
                break
        for tests, conditions in others(case, proof, suite):
            if fails(lab, case.test, tests, conditions):
                yield f"otherwise: it failed after {len(tests) - 1} tests under {conditions}"


def fails(lab: BenchLab, test: TestId, tests: Sequence[TestId], conditions: Conditions) -> bool:
    """Also where it did not run."""
    under = conditions if conditions.workers or len(tests) < 2 else replace(conditions, in_order=True)
    seen = lab.run(tests, under, purpose="oracle")
    return not isinstance(seen, Ran) or test in seen.record.failed or test not in seen.record.tests


def others(case: Case, proof: Proof, suite: tuple[TestId, ...]) -> Iterator[tuple[tuple[TestId, ...], Conditions]]:
    """Provocations of the same kind that the repair did not see."""
    alone = (case.test,)
    rest = tuple(test for test in suite if test != case.test)
    seen = proof.provocation.conditions
    match case.cause:
        case Cause.VICTIM:
            yield (*rest, case.test), Conditions()
            yield (*rest[::-1], case.test), Conditions()
            yield (*rest[::2], *rest[1::2], case.test), Conditions()
        case Cause.BRITTLE:
            yield alone, Conditions()
            yield (*rest[::-1], case.test), Conditions()
        case Cause.NOT_IDEMPOTENT:
            yield alone, Conditions(repeat=5)
            yield (*rest, case.test), Conditions()
        case Cause.HASH_ORDER:
            for seed in _SEEDS:
                yield alone, Conditions(hash_seed=seed)
        case Cause.RANDOMNESS:
            for seed in _SEEDS:
                yield alone, Conditions(random_seed=seed)
        case Cause.TIME:
            for variant in calendar_edges():
                yield alone, variant.conditions
        case Cause.ZONE:
            for zone in (*ZONES, "UTC", "Australia/Lord_Howe"):
                yield alone, Conditions(zone=zone)
        case Cause.FILES:
            for order in ("sorted", "reversed"):
                yield alone, Conditions(directory_order=order)
            yield alone, Conditions(fresh_home=True)
        case _:
            for _ in range(_PROVOKED):
                yield proof.provocation.tests, seen


def patched(files: Mapping[str, bytes | str], patch: str) -> tuple[dict[str, bytes | str], list[str]]:
    """The project's files with the patch, and the paths that it changes, by git."""
    with tempfile.TemporaryDirectory() as folder:
        root = repositories.make(Path(folder) / "project", files)
        (Path(folder) / "fix.patch").write_text(patch, encoding="utf-8", newline="")
        repositories.git(root, "apply", "../fix.patch")
        changed = repositories.git(root, "diff", "--name-only").split()
        return {**files, **{path: (root / path).read_bytes() for path in changed}}, changed


def expectations(text: bytes | str) -> Counter[str]:
    """Assertions of a test file, by their shape."""
    return Counter(
        ast.dump(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and "assert" in ast.dump(node.func))
        or (isinstance(node, ast.With) and "raises" in ast.dump(node.items[0]))
    )


# --- the table ------------------------------------------------------------------------------------------------------


def table(lines: Sequence[Mapping[str, object]]) -> str:
    out = []
    for of in dict.fromkeys(str(each["of"]) for each in lines):
        rows = [each for each in lines if each["of"] == of]
        made = [each for each in rows if each.get("patch")]
        proven_rows = [each for each in rows if each["outcome"] != "not proven"]
        out += [
            f"{of}: {len(rows)} flaky tests, {len(proven_rows)} proven, "
            f"{sum(each['outcome'] == 'repaired' for each in rows)} repaired, "
            f"{sum(each['outcome'] == 'needs_review' for each in rows)} for review, "
            f"{sum(bool(each['right']) for each in made)} of {len(made)} right",
            "",
            "| project | cause | outcome | right | runs | seconds |",
            "| --- | --- | --- | --- | ---: | ---: |",
        ]
        for each in rows:
            right = ("yes" if each["right"] else "no") if each.get("patch") else "–"
            name = f"{each['project']}: {str(each['test']).rpartition('::')[2]}"
            out.append(
                f"| {name} | {each['cause']} | {str(each['outcome']).replace('_', ' ')} | {right} "
                f"| {each.get('runs', '–')} | {each.get('seconds', '–')} |"
            )
        out.append("")
    return "\n".join(out)


if __name__ == "__main__":
    raise SystemExit(main())
