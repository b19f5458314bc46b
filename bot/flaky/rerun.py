"""Screening: the suite again and again, in its own order and in shuffled ones, until each test is decided.

Plain runs and provoked ones take turns. A provoked run changes order, hash seed and random seed at once, so that each
probes several causes; which of them it was is for the experiments to find. A test is decided by the sequential
probability ratio test over all its runs and then left out, which shortens the runs that follow.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.evidence.text import one_line
from bot.evidence.types import TestId
from bot.flaky.lab import Broke, Lab, NoRun, Observed, Ran, follows
from bot.flaky.ledger import is_infrastructure
from bot.flaky.statistics import Decision, Sequential
from bot.flaky.types import Counts, RunRecord
from bot.toolchains.types import Conditions

ALWAYS = 5
"""Failures in as many runs before a test counts as failing always: a rate of at least 55 % at 95 % confidence."""
_MOST_BROKEN = 3  # runs in a row that give no report
_MOST_HUNG = 10
_SEEDS = 2**32


class Reruns(Lab, Protocol):
    """A lab that also makes runs which are counted for rates."""

    def survey(self) -> Observed:
        """The suite under ordinary conditions; the first one settles `suite`."""
        ...

    def rerun(self, tests: Sequence[TestId], *, purpose: str) -> Observed:
        """A plain run of a selection that is counted for rates."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """runs: at most, of the screening alone. seed: of all orders and seeds; the same one asks for the same runs."""

    runs: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Screened:
    """What the runs showed of each test, decided or not; verdicts are made of the records, not of this.

    suspects: seen failing and passing. failing: failed in every run. stable: clean for as long as the test asks.
    undecided: clean so far. hung: left out because a run hung in them. counts: of plain and provoked runs together.
    ordered: whether orders were tried. stopped: why it ended before everything was decided, "" where it did not.
    """

    suspects: tuple[TestId, ...]
    failing: tuple[TestId, ...]
    stable: tuple[TestId, ...]
    undecided: tuple[TestId, ...]
    hung: tuple[TestId, ...]
    counts: Mapping[TestId, Counts]
    ordered: bool
    stopped: str = ""
    problems: tuple[str, ...] = ()


def screen(
    lab: Reruns, suspects: tuple[TestId, ...] | None, limits: Limits, sequential: Sequential | None = None
) -> Screened:
    """Run until every test of the suite (or of `suspects`) is decided, or the runs or minutes are over.

    Plain runs hold the undecided tests alone, shuffled ones of suspects the whole suite, for its tests may pollute.
    """
    screening = _Screening(lab, suspects, limits, sequential or Sequential())
    try:
        screening.work()
    except NoRun as over:
        screening.stopped = str(over)
    return screening.result()


@dataclass(slots=True)
class _Screening:
    lab: Reruns
    wanted: tuple[TestId, ...] | None
    limits: Limits
    sequential: Sequential
    counts: dict[TestId, Counts] = field(default_factory=dict)
    hung: list[TestId] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stopped: str = ""
    ordered: bool = True
    runs: int = 0
    broken: int = 0

    def work(self) -> None:
        if not self._surveyed():
            return
        for number in range(1, self.limits.runs + 1):
            left = self._undecided()
            if not left or self.stopped:
                return
            if self.runs >= self.limits.runs:
                break
            if number % 2 and self.ordered:
                self._provoke(number)
            else:
                self._rerun(left)
        if self._undecided() and not self.stopped:
            self.stopped = f"all {self.limits.runs} runs of the screening are used up"

    def result(self) -> Screened:
        tests = self._tests()
        mixed, failing, stable, undecided = [], [], [], []
        for test in tests:
            counts = self.counts.get(test, Counts())
            if 0 < counts.failures < counts.runs:
                mixed.append(test)
            elif counts.failures:
                failing.append(test)
            elif self.sequential.decide(counts) is Decision.STABLE:
                stable.append(test)
            else:
                undecided.append(test)
        return Screened(
            tuple(mixed),
            tuple(failing),
            tuple(stable),
            tuple(undecided),
            tuple(self.hung),
            self.counts,
            self.ordered,
            self.stopped,
            tuple(self.problems),
        )

    # --- runs -------------------------------------------------------------------------------------------------------

    def _surveyed(self) -> bool:
        """Whether there is a suite that tests anything."""
        first = self._took(self.lab.survey())
        if first is None:
            if not self.lab.suite:
                self.stopped = f"the suite gave no report: {self.problems.pop()}"
            return bool(self.lab.suite)
        if is_infrastructure(first):
            again = self._took(self.lab.survey())
            if again is None or is_infrastructure(again):
                self.stopped = (
                    f"{len(first.failed)} of {len(first.tests)} tests fail at once, twice: suite or environment "
                    f"is broken, which tells nothing of single tests{_said(first)}"
                )
                return False
        self._check_order()
        return True

    def _check_order(self) -> None:
        """Ask for the reversed order, and see in the report whether it was taken."""
        why = self.lab.unsupported(Conditions(in_order=True))
        if not why and len(self.lab.suite) > 1:
            wanted = tuple(test for test in reversed(self.lab.suite) if test not in self.hung)
            record = self._took(self.lab.run(wanted, Conditions(in_order=True), purpose="the suite, reversed"))
            if record is not None and not follows(record.tests, wanted):
                why = "the runner does not keep to the order that it is given"
        if why:
            self.ordered = False
            self.problems.append(f"no other order of the tests could be tried: {why}")

    def _provoke(self, number: int) -> None:
        chance = random.Random(f"{self.limits.seed}/{number}")
        tests = [test for test in self._suite() if test not in self.hung]
        if self.wanted is None:
            decided = set(self._tests()) - set(self._undecided())
            tests = [test for test in tests if test not in decided]
        by_module = number % 4 == 1
        order = shuffled(tests, chance, by_module=by_module)
        conditions = Conditions(in_order=True, hash_seed=chance.randrange(_SEEDS), random_seed=chance.randrange(_SEEDS))
        if self.lab.unsupported(conditions):
            conditions = Conditions(in_order=True)
        purpose = f"order {number}, {'modules and tests within' if by_module else 'all tests'} shuffled"
        self._took(self.lab.run(order, conditions, purpose=purpose))

    def _rerun(self, left: tuple[TestId, ...]) -> None:
        if len(left) == len(self._suite()):
            self._took(self.lab.run(None, purpose="the suite, again"))
        else:
            self._took(self.lab.rerun(left, purpose=f"{len(left)} undecided tests, again"))

    def _took(self, observed: Observed) -> RunRecord | None:
        """Count what a run says; None where it says nothing."""
        self.runs += 1
        if isinstance(observed, Ran):
            self.broken = 0
            self._count(observed.record)
            return observed.record
        self._break(observed)
        return None

    def _break(self, run: Broke) -> None:
        self.broken += 1
        problem = one_line(run.problem, 300)
        if run.hung and run.test is not None and run.test not in self.hung:
            self.hung.append(run.test)
            self.broken = 0
            left_out = " and is left out" if self.lab.suite else ", so mend or skip it first"
            problem = f"{one_line(run.test.node_id, 200)} hangs{left_out}: {problem}"
        elif run.hung and run.test is None:
            problem += "; no test had begun by then: see what importing the tests waits for"
        if problem not in self.problems:
            self.problems.append(problem)
        if self.broken >= _MOST_BROKEN:
            self.stopped = f"{self.broken} runs in a row gave no report, the last because {problem}"
        elif len(self.hung) >= _MOST_HUNG:
            self.stopped = f"{len(self.hung)} tests hang; what they wait for is missing here"

    def _count(self, record: RunRecord) -> None:
        if record.whole and is_infrastructure(record):
            return
        for test in record.tests:
            if test not in record.unknown:
                one = Counts(1, int(test in record.failed or test in record.retried))
                self.counts[test] = self.counts.get(test, Counts()) + one

    # --- what is left -----------------------------------------------------------------------------------------------

    def _suite(self) -> tuple[TestId, ...]:
        return self.lab.suite

    def _tests(self) -> tuple[TestId, ...]:
        return self._suite() if self.wanted is None else self.wanted

    def _undecided(self) -> tuple[TestId, ...]:
        return tuple(test for test in self._tests() if test not in self.hung and not self._decided(test))

    def _decided(self, test: TestId) -> bool:
        counts = self.counts.get(test, Counts())
        if counts.runs and counts.failures == counts.runs:
            return counts.runs >= ALWAYS
        return self.sequential.decide(counts) is not Decision.CONTINUE


def shuffled(tests: Iterable[TestId], chance: random.Random, *, by_module: bool) -> tuple[TestId, ...]:
    """A random order: of modules and of the tests within each, or of all tests without regard to modules."""
    order = list(tests)
    chance.shuffle(order)
    if not by_module:
        return tuple(order)
    modules: dict[str, list[TestId]] = {}
    for test in order:
        modules.setdefault(test.file or test.classname, []).append(test)
    names = list(modules)
    chance.shuffle(names)
    return tuple(test for name in names for test in modules[name])


def _said(record: RunRecord) -> str:
    """The failure that most tests of a run have."""
    kinds = Counter(f"{failed.exception}: {failed.message}" for failed in record.failed.values())
    (message, count), *_ = kinds.most_common(1)
    return f"; {count} of them say: {one_line(message, 160)}"
