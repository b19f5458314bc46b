"""A lab of modelled tests: what each does is a function of the process it runs in, and every run is counted.

A model gets a `Process` (its conditions, what earlier tests left behind, its random numbers) and answers "" where it
passes, or "ValueError: why" where it fails.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.evidence.types import TestId
from bot.flaky.lab import Broke, Job, NoRun, Observed, Ran
from bot.flaky.types import Failed, RunRecord, RunSource
from bot.toolchains.types import PLAIN, Conditions, Touched


@dataclass(slots=True)
class Process:
    """One process of the runner. left: what tests leave behind. hash_seed: drawn where none was asked for.
    chance: random numbers that a seed holds still; luck: what the machine does, which none does."""

    conditions: Conditions
    chance: random.Random
    luck: random.Random
    hash_seed: int
    revision: str
    left: set[str] = field(default_factory=set)
    hosts: list[str] = field(default_factory=list)
    threads: bool = False


Model = Callable[[Process], str]


def test_id(name: str) -> TestId:
    return TestId("tests/test_shop.py", "tests.test_shop", name)


test_id.__test__ = False  # type: ignore[attr-defined]


class FakeLab:
    """Implements Lab. Tests are named, in the suite's order; everything random hangs on `seed`.

    rounds: what it tells of the rounds of each test where one is repeated so often. keeps_order: whether it
    runs tests in the order that it is given.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        seed: int = 0,
        most_runs: int = 100_000,
        unsupported: Mapping[str, str] | None = None,
        unprepared: Sequence[str] = (),
        rounds: Mapping[int, str] | None = None,
        keeps_order: bool = True,
    ) -> None:
        self.models = {test_id(name): model for name, model in models.items()}
        self.suite = tuple(self.models)
        self.records: list[RunRecord] = []
        self._chance = random.Random(seed)
        self._most = most_runs
        self._unsupported = dict(unsupported or {})
        self._unprepared = frozenset(unprepared)
        self._rounds = rounds or {}
        self._keeps_order = keeps_order

    @property
    def runs(self) -> int:
        return len(self.records)

    def unsupported(self, conditions: Conditions) -> str:
        changed = (name for name in self._unsupported if getattr(conditions, name) != getattr(PLAIN, name))
        return next((self._unsupported[name] for name in changed), "")

    def run(
        self, tests: Sequence[TestId] | None, conditions: Conditions = PLAIN, *, purpose: str, revision: str = ""
    ) -> Observed:
        if len(self.records) >= self._most:
            raise NoRun(f"{self._most} runs are made")
        if why := self.unsupported(conditions):
            raise AssertionError(f"asked for what it cannot do: {why}")
        chosen = self.suite if tests is None else tuple(tests)
        if not conditions.in_order or not self._keeps_order:
            chosen = tuple(test for test in self.suite if test in set(chosen))
        if revision in self._unprepared:
            return Broke(f"{revision} cannot be installed")
        seed = conditions.random_seed
        process = Process(
            conditions,
            random.Random(seed) if seed is not None else random.Random(self._chance.random()),
            random.Random(self._chance.random()),
            conditions.hash_seed if conditions.hash_seed is not None else self._chance.randrange(1 << 16),
            revision,
        )
        failed: dict[TestId, Failed] = {}
        for test in chosen:
            for _ in range(conditions.repeat):
                said = self.models[test](process)
                if said:
                    exception, _, message = said.partition(": ")
                    failed[test] = Failed(f"{exception}/{message}", exception, message)
        record = RunRecord(
            key=f"rerun:fake/1/{len(self.records) + 1}",
            source=RunSource.RERUN,
            group="rerun",
            commit=revision or "head",
            environment="fake",
            attempt=1,
            at=1_800_000_000.0 + len(self.records),
            seconds=0.1,
            tests=chosen,
            failed=failed,
            whole=tests is None,
            conditions=conditions,
            purpose=purpose,
            base=conditions == PLAIN and tests is None,
        )
        self.records.append(record)
        return Ran(
            record,
            Touched(
                hosts=tuple(process.hosts),
                threads=process.threads,
                rounds=dict.fromkeys(chosen, self._rounds[conditions.repeat])
                if conditions.repeat in self._rounds
                else {},
            ),
        )

    def run_many(self, jobs: Sequence[Job]) -> tuple[Observed, ...]:
        return tuple(self.run(job.tests, job.conditions, purpose=job.purpose, revision=job.revision) for job in jobs)
