"""The history of flaky tests: are the intervals right, how soon is a flaky test called one, how often a stable one, and
how much history does it take.

    python benchmarks/history.py intervals
    python benchmarks/history.py nights [--tests 10000] [--nights 90] [--seed 1]
    python benchmarks/history.py size [--runs 200000] [--tests 200]

intervals: exact cover (sums of the binomial distribution, nothing simulated) over rates and numbers of runs.
nights: a simulated project whose truth is known. Each night 8 pull requests with 3 runs, and 6 commits of the main
branch with runs in two environments; changes break tests and are mended, main is broken now and then for some commits
(and with it the pull requests), whole runs fail for the infrastructure's sake, a third of the red jobs is run again.
Forty tests are flaky, at four rates. After every night all runs so far are judged. Beside it the floor: whoever calls a
test flaky that failed at one commit and passed at a later one.
size: nights written, read, added to the store and judged: cases (tests × runs) a second of CPU time, and the peak
memory of a process that opens the file and judges all of it. Exit status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from bot.evidence.types import TestId
from bot.flaky.judge import judge
from bot.flaky.ledger import is_infrastructure
from bot.flaky.nights import Unreadable, dump, load
from bot.flaky.statistics import clopper_pearson, wilson
from bot.flaky.store import Store
from bot.flaky.types import Counts, Failed, Interval, Night, RunRecord, RunSource, Shard
from bot.flaky.verdict import Kind

DAY = 86_400.0
START = 1_790_000_000.0
RATES = (0.005, 0.01, 0.05, 0.2)
A_RATE = 10  # flaky tests of each rate
Given = TypeVar("Given")
Answer = TypeVar("Answer")


def suite(size: int) -> tuple[TestId, ...]:
    return tuple(TestId(f"tests/test_{n // 20}.py", f"tests.test_{n // 20}", f"test_{n}") for n in range(size))


# --- intervals -------------------------------------------------------------------------------------------------------


def cover(intervals: Sequence[Interval], rate: float) -> float:
    """Probability that the interval holds the rate."""
    runs = len(intervals) - 1
    logs = [
        math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1)
        + k * math.log(rate) + (runs - k) * math.log1p(-rate)
        for k in range(runs + 1)
    ]  # fmt: skip
    return math.fsum(math.exp(log) for log, one in zip(logs, intervals, strict=True) if one.low <= rate <= one.high)


def intervals() -> bool:
    wide = [place / 1_000 for place in range(1, 1_000)]
    common = [rate for rate in wide if 0.05 <= rate <= 0.95]
    print("| runs | Clopper-Pearson, lowest cover of 999 rates | Wilson, mean over 0.05…0.95 | Wilson, lowest there |")
    print("| --: | --: | --: | --: |")
    right = True
    for runs in (5, 10, 20, 30, 59, 100, 300):
        exact, score = ([method(Counts(runs, k)) for k in range(runs + 1)] for method in (clopper_pearson, wilson))
        lowest = min(cover(exact, rate) for rate in wide)
        covers = [cover(score, rate) for rate in common]
        mean = statistics.fmean(covers)
        right &= lowest >= 0.95 - 1e-9 and (runs < 20 or 0.93 <= mean <= 0.97)
        print(f"| {runs} | {lowest:.4f} | {mean:.4f} | {min(covers):.4f} |")
    return told("Clopper-Pearson ≥ 95 % everywhere, Wilson 93 to 97 % on average from 20 runs on", right)


# --- nights ----------------------------------------------------------------------------------------------------------


class Project:
    """Makes nights of runs. `broken`: tests that the main branch has broken now."""

    def __init__(self, tests: tuple[TestId, ...], draw: random.Random) -> None:
        self.tests, self._draw, self._runs, self._commits, self._pulls = tests, draw, 0, 0, 0
        chosen = draw.sample(range(len(tests)), A_RATE * len(RATES))
        self.rates = {number: RATES[place % len(RATES)] for place, number in enumerate(chosen)}
        self.broken: set[int] = set()
        self._mended_in = 0

    def night(self, number: int) -> Iterator[RunRecord]:
        at = START + number * DAY
        for place in range(6):
            if self.broken:
                self._mended_in -= 1
                if self._mended_in <= 0:
                    self.broken = set()
            elif self._draw.random() < 0.03:
                self.broken = self._some(5)
                self._mended_in = self._draw.randint(1, 6)
            commit = self._commit()
            for environment in ("ubuntu", "macos"):
                yield from self._job("branch:main", commit, environment, at + place * 3_600, self.broken)
        for place in range(8):
            self._pulls += 1
            group, wrong = f"pr:{self._pulls}", self.broken
            for turn in range(3):
                own = self._some(30) if turn < 2 and self._draw.random() < 0.3 else set()
                moment = at + place * 2_000 + turn * 500
                yield from self._job(group, self._commit(), "ubuntu", moment, wrong | own)

    def _job(self, group: str, commit: str, environment: str, at: float, broken: set[int]) -> Iterator[RunRecord]:
        outage = self._draw.random() < 0.005
        first = self._run(group, commit, environment, 1, at, broken, outage)
        yield first
        if first.failed and self._draw.random() < 1 / 3:
            yield self._run(group, commit, environment, 2, at + 900, broken, False)

    def _run(
        self, group: str, commit: str, environment: str, attempt: int, at: float, broken: set[int], outage: bool
    ) -> RunRecord:
        self._runs += 1
        failed = set(broken)
        failed.update(number for number, rate in self.rates.items() if self._draw.random() < rate)
        if outage:
            failed.update(self._draw.sample(range(len(self.tests)), int(len(self.tests) * self._draw.uniform(0.6, 1))))
        return RunRecord(
            key=f"ci:{self._runs - attempt + 1}/{attempt}/test",
            source=RunSource.CI,
            group=group,
            commit=commit,
            environment=environment,
            attempt=attempt,
            at=at,
            seconds=600.0,
            tests=self.tests,
            failed={self.tests[number]: Failed(f"{number:064x}", "AssertionError", "no") for number in failed},
        )

    def _commit(self) -> str:
        self._commits += 1
        return f"{self._commits:040x}"

    def _some(self, most: int) -> set[int]:
        begin = self._draw.randrange(len(self.tests))
        return {(begin + place) % len(self.tests) for place in range(self._draw.randint(1, most))} - self.rates.keys()


def floor(records: Sequence[RunRecord]) -> set[TestId]:
    """Tests that failed at one commit and passed at a later one: flaky, says the floor. All run in every run here;
    infrastructure's runs are left out for the floor too."""
    answer: set[TestId] = set()
    ordinary = [record for record in records if not is_infrastructure(record)]
    last = ordinary[-1]
    for record in ordinary:
        answer.update(test for test in record.failed if test not in last.failed)
    return answer


def nights(tests: int, count: int, seed: int) -> bool:
    project, records = Project(suite(tests), random.Random(seed)), []
    numbers = {test: number for number, test in enumerate(project.tests)}
    called: dict[TestId, int] = {}
    suspected: dict[TestId, int] = {}
    false: defaultdict[Kind, set[TestId]] = defaultdict(set)
    spent = 0.0
    for night in range(count):
        records += project.night(night)
        head = next(record.commit for record in reversed(records) if record.group == "branch:main")
        began = time.process_time()
        triage = judge(records, session="s", commit=head, environment="box", at=START + night * DAY)
        spent = time.process_time() - began
        for verdict in triage.verdicts:
            number = numbers[verdict.test]
            if number in project.rates:
                suspected.setdefault(verdict.test, night)
                if verdict.kind is Kind.FLAKY:
                    called.setdefault(verdict.test, night)
            elif number not in project.broken:
                false[verdict.kind].add(verdict.test)
    runs, cases = len(records), len(records) * tests
    print(f"{tests:,} tests, {count} nights, {runs:,} runs, {cases:,} cases, seed {seed}.\n")
    print("| true rate | tests | called flaky | nights until then, median | listed |\n| --: | --: | --: | --: | --: |")
    for rate in RATES:
        own = [project.tests[number] for number, its in project.rates.items() if its == rate]
        delays = [called[test] + 1 for test in own if test in called]
        delay = f"{statistics.median(delays):g}" if delays else "—"
        print(f"| {100 * rate:g} % | {len(own)} | {len(delays)} | {delay} | {sum(t in suspected for t in own)} |")
    stable = tests - len(project.rates)
    naive = {test for test in floor(records) if numbers[test] not in project.rates}
    print(f"\nOf {stable:,} tests that are not flaky, in any of the {count} nights (and not broken at that time):\n")
    print("| called | tests |\n| --- | --: |")
    for kind in (Kind.FLAKY, Kind.ENVIRONMENT, Kind.BROKEN, Kind.SUSPECT, Kind.UNKNOWN, Kind.INFRASTRUCTURE):
        print(f"| {kind} | {len(false[kind])} |")
    print(f"| flaky by the floor (failed, later passed) | {len(naive)} |")
    print(f"\nJudging the last night: {spent:.2f} s of CPU time, {cases / spent:,.0f} cases a second.\n")
    alarms = false[Kind.FLAKY] | false[Kind.ENVIRONMENT] | false[Kind.BROKEN]
    return told("no stable test called flaky, environment-dependent or broken", not alarms)


# --- size ------------------------------------------------------------------------------------------------------------


class Now:
    """A clock that stands at the history's end."""

    def __init__(self, now: float) -> None:
        self._now = now

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here sleeps {seconds} s")


def many_nights(runs: int, tests: int) -> Iterator[Night]:
    """90 nights of runs; one run in ten has a failing test or two, the suite grows by a test every 5,000 runs."""
    draw, every = random.Random(1), suite(tests + runs // 5_000)
    each = math.ceil(runs / 90)
    order = every[:tests]
    for night in range(90):
        records = []
        for place in range(min(each, runs - night * each)):
            number = night * each + place
            if number % 5_000 == 0:
                order = every[: tests + number // 5_000]
            failing = draw.sample(order, draw.randint(1, 2)) if draw.random() < 0.1 else []
            records.append(
                RunRecord(
                    key=f"ci:{number}/1/test",
                    source=RunSource.CI,
                    group=f"pr:{number // 12}" if number % 3 else "branch:main",
                    commit=f"{number // 2:040x}",
                    environment=f"tests.yml / test ({number % 2})",
                    attempt=1,
                    at=START + night * DAY + place,
                    seconds=300.0,
                    tests=order,
                    failed={
                        test: Failed(f"{hash(test) % 997:064x}", "AssertionError", "assert 1 == 2") for test in failing
                    },
                    durations=dict.fromkeys(order, 0.01),
                )
            )
        yield Night(f"night {night}", Shard(), START + night * DAY, "c", "ci", tuple(records))


def size(runs: int, tests: int) -> bool:
    clock = Now(START + 90 * DAY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.db")
        spent: defaultdict[str, float] = defaultdict(float)
        cases = written = 0
        with Store.open(path, clock, retention_days=120) as store:
            for night in many_nights(runs, tests):
                cases += sum(len(record.tests) for record in night.records)
                data = timed(spent, "written", dump, night)
                written += len(data)
                read = timed(spent, "read", load, data)
                assert not isinstance(read, Unreadable), read.why
                timed(spent, "added to the store", store.add, read)
        megabytes = written / 1e6, path.stat().st_size / 1e6
        print(f"{runs:,} runs, {cases:,} cases: nights {megabytes[0]:.0f} MB, store {megabytes[1]:.0f} MB.\n")
        print("| step | CPU seconds | cases a second |\n| --- | --: | --: |")
        for step, seconds in spent.items():
            print(f"| {step} | {seconds:.1f} | {cases / seconds:,.0f} |")
        together = sum(spent.values())
        print(f"| these three | {together:.1f} | {cases / together:,.0f} |")
        done = subprocess.run(
            [sys.executable, __file__, "judge", str(path)], capture_output=True, text=True, check=True
        )
        seconds, peak, opened = map(float, done.stdout.split())
        print(f"| opened, read from the store and judged | {seconds:.1f} | {cases / seconds:,.0f} |\n")
        print(f"Peak of the process that judges: {peak:.0f} MiB; before that {opened:.0f} MiB.\n")
    ingest = told("ingest ≥ 50,000 cases a second", cases / together >= 50_000)
    return told("a history of 200,000 runs in at most 1 GiB", peak <= 1024) and ingest


def timed(spent: dict[str, float], step: str, call: Callable[[Given], Answer], given: Given) -> Answer:
    began = time.process_time()
    answer = call(given)
    spent[step] += time.process_time() - began
    return answer


def judge_file(path: Path) -> None:
    """In a process of its own: CPU seconds, its peak, and its peak before (MiB)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    with Store.open(path, Now(START + 90 * DAY), retention_days=120) as store:
        judge(store.records(), session="s", commit="c", environment="ci", at=START)
    took = time.process_time() - began
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, before)


def told(goal: str, met: bool) -> bool:
    print(f"- {goal}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("intervals")
    one = parts.add_parser("nights")
    one.add_argument("--tests", type=int, default=10_000)
    one.add_argument("--nights", type=int, default=90)
    one.add_argument("--seed", type=int, default=1)
    two = parts.add_parser("size")
    two.add_argument("--runs", type=int, default=200_000)
    two.add_argument("--tests", type=int, default=200)
    parts.add_parser("judge").add_argument("path", type=Path)
    given = parser.parse_args()
    match given.part:
        case "intervals":
            met = intervals()
        case "nights":
            met = nights(given.tests, given.nights, given.seed)
        case "size":
            met = size(given.runs, given.tests)
        case _:
            judge_file(given.path)
            met = True
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
