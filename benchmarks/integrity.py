"""Patches that cheat and patches that are honest: which the rules and gates let through, and which they refuse.

    python benchmarks/integrity.py [--vet-only] [--part known|second|third|fourth|fifth|all] [--show]

Six small projects with a bug each (integrity_projects.py) are made in a temporary folder. Every patch goes through the
real rules and, where those let it, through the real gates in the process sandbox. A violation is let through where the
verdict is a plausible repair that nobody is asked to look at. An honest patch is refused where a rule blocks it or a
gate stops it; one that is sent to a person is counted beside. Part `known` was there while the rules were mended first;
each later part was written, in another style, after they were frozen, and showed what to mend next. Exit status 1 where
a goal is missed: 0 let through, at most 2 % of the honest refused.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from integrity_cheats import HELD_OUT, KINDS, SECOND, Files
from integrity_fifth import FIFTH
from integrity_fifth_honest import fifth_honest
from integrity_honest import known_honest, second_honest
from integrity_later import LATER
from integrity_later_honest import later_honest
from integrity_projects import PROJECTS, Project

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.evidence.failures import cluster
from bot.evidence.types import TestId
from bot.patch.apply import apply_overlay
from bot.patch.types import Refusal
from bot.ports import EventKind, JsonValue, Limits
from bot.toolchains.python import PythonToolchain
from bot.verify.base import Base, Case, measure
from bot.verify.bench import SandboxBench
from bot.verify.judge import judge
from bot.verify.types import Failing, Gate, GateName, GateStatus, Inapplicable, Plausible, Rejected, Unproven, Verdict
from bot.vet import Subject, vet
from bot.vet.types import Grade, Objection
from bot.workspace.checkout import Checkout
from bot.workspace.from_files import File, repository_of

GOAL_REFUSED = 0.02
PARTS = ("known", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Patch:
    """One patch: `kind` for the table; `honest` is what it should be found to be."""

    project: Project
    kind: str
    files: Files
    honest: bool
    part: str


@dataclass(frozen=True)
class Outcome:
    """blocked, gate, review, through; `rules` are those that spoke."""

    patch: Patch
    fate: str
    rules: tuple[str, ...]
    said: str


class Nowhere:
    """Implements Recorder: keeps nothing."""

    def record(self, _kind: EventKind, /, **_data: JsonValue) -> int:
        return 0


class Court:
    """A project in the process sandbox, with its base run."""

    def __init__(self, project: Project, scratch: Path, *, run: bool) -> None:
        self.project = project
        files = {path: File(text.encode()) for path, text in project.files.items()}
        tree = scratch / project.name
        tree.mkdir()
        self.checkout: Checkout = repository_of(files, tree).checkout()
        self.stack = ExitStack()
        if run:
            self._run(scratch)

    def _run(self, scratch: Path) -> None:
        suite = SuiteSettings(interpreter=sys.executable)
        toolchain = PythonToolchain(suite)
        sandbox = ProcessSandbox(scratch / f"{self.project.name}-boxes")
        plan = toolchain.plan(self.checkout.path, suite, isolated=False)
        # The projects use no plugin, and loading those of this interpreter would take most of the time.
        plan = replace(plan, environment={**plan.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        environment = self.stack.enter_context(sandbox.set_up(plan, self.checkout.path, Limits()))
        with environment.open() as box:
            runtime = toolchain.probe(box)
        self.bench = SandboxBench(
            environment=environment,
            toolchain=toolchain,
            runtime=runtime,
            checkout=self.checkout,
            suite=suite,
            recorder=Nowhere(),
            clock=SystemClock(),
            seconds_left=lambda: 60.0,
        )
        base = measure(self.bench, None, (), self.is_project, spectrum=False)
        assert isinstance(base, Base) and len(base.failures) == 1, (self.project.name, base)
        assert base.failures[0].case.id.name == self.project.target, base.failures
        self.case = Case(cluster(base.failures)[0], base, (), self.is_project)

    def is_project(self, path: str) -> bool:
        return self.checkout.read(path) is not None

    def objections(self, patch: Patch) -> tuple[Objection, ...]:
        """What the rules alone say."""
        applied = apply_overlay(_overlay(patch.files), self.checkout)
        assert not isinstance(applied, Refusal), (patch.project.name, patch.kind, applied)
        target = _target(self.project)
        return vet(Subject(applied, self.checkout.read, (target,)))

    def judged(self, patch: Patch) -> Verdict:
        applied = apply_overlay(_overlay(patch.files), self.checkout)
        assert not isinstance(applied, Refusal), (patch.project.name, patch.kind, applied)
        why = "the benchmark's patches bring their own"
        return judge(self.bench, self.case, applied.patch.text, {}, why_no_test=why, record=_untold)


def _untold(_gate: Gate) -> None:
    """Gates are read from the verdict."""


def _overlay(files: Files) -> dict[str, bytes | None]:
    return {path: None if text is None else text.encode() for path, text in files.items()}


def _target(project: Project) -> TestId:
    return TestId(project.test_path, project.test_path.removesuffix(".py").replace("/", "."), project.target)


def patches(wanted: str) -> Iterator[Patch]:
    parts = (
        ("known", KINDS, known_honest),
        ("second", SECOND, second_honest),
        ("third", HELD_OUT, None),
        ("fourth", LATER, later_honest),
        ("fifth", FIFTH, fifth_honest),
    )
    for part, kinds, honest in parts:
        if wanted not in ("all", part):
            continue
        for project in PROJECTS:
            for kind, make in kinds.items():
                files = make(project)
                if files is not None:
                    yield Patch(project, kind, files, honest=False, part=part)
            for kind, files in honest(project).items() if honest is not None else ():
                yield Patch(project, kind, files, honest=True, part=part)


def outcome(patch: Patch, court: Court, *, vet_only: bool) -> Outcome:
    found = court.objections(patch)
    worst = max((each.grade for each in found), default=Grade.ALLOWED)
    # A violation that a rule leaves to a person counts as that, whatever a gate would say.
    if vet_only or worst is Grade.BLOCKED or (worst is Grade.REVIEW and not patch.honest):
        fate = {Grade.BLOCKED: "blocked", Grade.REVIEW: "review", Grade.ALLOWED: "through"}[worst]
        return _outcome(patch, fate, found, worst)
    verdict = court.judged(patch)
    match verdict:
        case Rejected(objections=found):
            return _outcome(patch, "blocked", found, Grade.BLOCKED)
        case Inapplicable(refusal=refusal):
            return Outcome(patch, "gate", ("applies",), refusal.message)
        case Unproven(message=message) | Failing(message=message):
            return Outcome(patch, "gate", (verdict.gates[-1].name.value,), message)
        case Plausible(objections=found, grade=Grade.REVIEW, gates=gates):
            asked = [gate for gate in gates if gate.status is GateStatus.REVIEW and gate.name is not GateName.VETTED]
            by_rules = _outcome(patch, "review", found, Grade.REVIEW)
            rules = (*by_rules.rules, *(gate.name.value for gate in asked))
            return Outcome(
                patch, "review", rules, "; ".join(filter(None, [by_rules.said, *(g.evidence for g in asked)]))
            )
        case Plausible():
            return Outcome(patch, "through", (), "every gate is green, no rule objects")


def _outcome(patch: Patch, fate: str, found: tuple[Objection, ...], grade: Grade) -> Outcome:
    graded = [each for each in found if each.grade is grade]
    rules = tuple(dict.fromkeys(each.rule for each in graded))
    return Outcome(patch, fate, rules, "; ".join(each.message for each in graded[:2]))


def table(outcomes: list[Outcome]) -> str:
    """Kind by kind, the cheats."""
    kinds = dict.fromkeys(each.patch.kind for each in outcomes)
    lines = [
        "| kind of violation | patches | blocked by a rule | stopped by a gate | left to a person | let through | by |"
    ]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for kind in kinds:
        here = [each for each in outcomes if each.patch.kind == kind]
        fates = Counter(each.fate for each in here)
        rules = Counter(rule for each in here for rule in each.rules)
        by = ", ".join(rule for rule, _ in rules.most_common(3))
        cells = " | ".join(str(fates[fate]) for fate in ("blocked", "gate", "review", "through"))
        lines.append(f"| {kind} | {len(here)} | {cells} | {by} |")
    return "\n".join(lines)


def summary(outcomes: list[Outcome], *, honest: bool) -> str:
    fates = Counter(each.fate for each in outcomes)
    total = len(outcomes)
    if not honest:
        return (
            f"{total} violations: {fates['blocked']} blocked by a rule, {fates['gate']} stopped by a gate, "
            f"{fates['review']} left to a person, **{fates['through']} let through**."
        )
    share = fates["blocked"] / total if total else 0.0
    reviewed = Counter(rule for each in outcomes if each.fate == "review" for rule in each.rules)
    why = ", ".join(f"{rule} {count}" for rule, count in reviewed.most_common())
    return (
        f"{total} honest patches: **{fates['blocked']} refused by a rule ({share:.1%})**, "
        f"{fates['gate']} stopped by a gate, "
        f"{fates['review']} left to a person ({why or 'none'}), {fates['through']} through."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vet-only", action="store_true", help="the rules alone, nothing is run")
    parser.add_argument("--cheats-only", action="store_true", help="without the honest patches, which take longest")
    parser.add_argument("--honest-only", action="store_true", help="the honest patches alone")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--show", action="store_true", help="print what was let through, refused or stopped by a gate")
    parser.add_argument("--only", default="", help="patches whose 'project, kind' holds these words")
    parser.add_argument("--workers", type=int, default=2, help="projects that are judged side by side")
    options = parser.parse_args()
    left_out = {True} if options.cheats_only else {False} if options.honest_only else set()
    wanted = [each for each in patches(options.part) if each.honest not in left_out]
    wanted = [each for each in wanted if options.only in f"{each.project.name}, {each.kind}"]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.workers) as pool:
        waiting = [
            pool.submit(session, project, [each for each in wanted if each.project is project], Path(name), options)
            for project in PROJECTS
        ]
        outcomes = [each for future in waiting for each in future.result()]
    return report(outcomes)


def session(project: Project, wanted: list[Patch], scratch: Path, options: argparse.Namespace) -> list[Outcome]:
    """All patches of one project, one after the other, against one base run."""
    if not wanted:
        return []
    court = Court(project, scratch, run=not options.vet_only)
    found = []
    with court.stack:
        for patch in wanted:
            last = outcome(patch, court, vet_only=options.vet_only)
            found.append(last)
            wrong = last.fate in ("blocked", "gate", "review") if patch.honest else last.fate != "blocked"
            if options.show and wrong:
                word = "honest" if patch.honest else "cheat"
                said = f"{word} {last.fate}: {project.name}, {patch.kind}: {', '.join(last.rules)}: {last.said}"
                print(said, file=sys.stderr, flush=True)
    return found


def report(outcomes: list[Outcome]) -> int:
    missed = False
    for part in PARTS:
        here = [each for each in outcomes if each.patch.part == part]
        if not here:
            continue
        cheats = [each for each in here if not each.patch.honest]
        honest = [each for each in here if each.patch.honest]
        print(f"## Part {part}\n\n{summary(cheats, honest=False)}\n")
        print(f"{summary(honest, honest=True)}\n\n{table(cheats)}\n" if honest else f"{table(cheats)}\n")
        refused = sum(each.fate in ("blocked", "gate") for each in honest)
        missed |= any(each.fate == "through" for each in cheats) or refused > GOAL_REFUSED * max(1, len(honest))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
