"""Seconds to flaky.html, with all of 10,000 tests listed, and from a history on disk (docs/benchmarks/flaky_page.md).

python -m benchmarks.flaky_page page [--tests 10000] [--rounds 5]
python -m benchmarks.flaky_page store [--tests 10000] [--nights 90] [--rounds 3]

page: a triage of so many tests, each with 13 weeks, its newest failures, both outcomes at a commit; one in ten with
experiments. Rendered to triage.json and flaky.html, opened in Chromium until its table stands there, sorted, filtered,
a test opened; beside it json.dumps of the same data, and an empty page in the same browser. Then the GitHub issue's
body of the same triage.
store: the simulated project of benchmarks/history.py in a history store: opened, judged, weeks and failures gathered,
rendered. Beside it: the store's rows read and nothing done with them. Exit status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.history import DAY, START, Now, Project, suite
from bot.evidence.types import TestId
from bot.flaky.course import NEWEST, Course, FailedRun, Week, courses
from bot.flaky.judge import judge
from bot.flaky.quarantine import Entry
from bot.flaky.statistics import lower_bound, wilson
from bot.flaky.store import Store
from bot.flaky.types import (
    Cause,
    Counts,
    Failed,
    Finding,
    Mixed,
    Night,
    Proof,
    Scan,
    Shard,
    State,
    StateChange,
    Tally,
    Trial,
    Tried,
)
from bot.flaky.verdict import Kind, Triage, Verdict
from bot.publish.flaky_dashboard import render
from bot.publish.flaky_owners import read_owners
from bot.publish.flaky_page import render_page
from bot.publish.flaky_report import Background, to_json, told_of
from bot.toolchains.types import PLAIN, Conditions

Answer = TypeVar("Answer")
GOAL = 2.0
WEEKS = [f"2026-{month:02}-{day:02}" for month, day in [(8, 31), (9, 7), (9, 14), (9, 21), (9, 28), (10, 5), (10, 12),
         (10, 19), (10, 26), (11, 2), (11, 9), (11, 16), (11, 23)]]  # fmt: skip
KINDS = (Kind.FLAKY,) * 12 + (Kind.SUSPECT,) * 5 + (Kind.BROKEN,) * 2 + (Kind.ENVIRONMENT,)
PLACE = "tests.yml / test (ubuntu, 3.12)"
OWNERS = read_owners("\n".join(f"/tests/area_{n}/ @org/team-{n}" for n in range(20)).encode())


# --- a triage of many tests ------------------------------------------------------------------------------------------


def sha(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()[:40]


def many(size: int) -> tuple[Triage, Background]:
    """The same for the same size."""
    draw = random.Random(size)
    tests = tuple(
        TestId.from_node_id(f"tests/area_{n % 20}/test_module_{n // 20}.py::TestThings::test_number_{n}[case-{n % 7}]")
        for n in range(size)
    )
    told, verdicts = {}, []
    for number, test in enumerate(tests):
        weeks = tuple(
            Week(monday, Counts(runs := draw.randint(40, 400), min(runs, draw.randint(0, 9)))) for monday in WEEKS
        )
        counts = Counts(sum(w.counts.runs for w in weeks), sum(w.counts.failures for w in weeks))
        failed = Failed(
            sha(number) + sha(-number)[:24], "AssertionError", f"assert {number} == {number + 1} (after the update)"
        )
        told[test] = course(draw, number, test, tests, weeks, failed)
        kind = KINDS[number % len(KINDS)]
        times = draw.randint(1, 2) if kind is Kind.FLAKY else 0
        places = [
            Mixed(
                sha((number, n)),
                PLACE,
                Counts(4, 1),
                f"ci:90{n}{number}/1/test",
                f"ci:90{n}{number}/2/test",
                "branch:main",
            )
            for n in range(times)
        ]
        tally = Tally(test, counts, ("branch:main", f"pr:{number}"), tuple(places), {"tests.yml": False}, 0.04, START,
                      START + DAY, START + 80 * DAY, ((failed.fingerprint, counts.failures),), 0, Counts(40, 9),
                      sha(number))  # fmt: skip
        verdicts.append(
            Verdict(
                test,
                kind,
                f"failed 1 of 4 at {sha((number, 0))[:12]} in {PLACE}",
                counts,
                wilson(counts),
                lower_bound(counts),
                tally,
                examined(test, tests[number - 1]) if number % 10 == 0 else None,
                cluster=sha(number // 13) if number % 3 == 0 else "",
                minutes_lost=draw.expovariate(0.2),
                introduced=sha(number),
            )
        )
    scan = Scan(START, START + 90 * DAY, True, 4_245, 31, 12)
    triage = Triage("night-1", sha("head"), "sandbox python:3.13", START + 90 * DAY, tuple(verdicts), size, scan,
                    (Shard(1, 2), Shard(2, 2)), (), 400, 3_000.0)  # fmt: skip
    listed = tuple(
        Entry(
            test,
            "failed 3 of 60 runs",
            "randomness",
            "@org/team-1",
            "https://example.test/issues/7",
            "2026-11-01",
            "2026-12-01",
        )
        for test in tests[:1_000:2]
    )
    return triage, Background(told, listed, OWNERS)


def course(
    draw: random.Random, number: int, test: TestId, tests: Sequence[TestId], weeks: tuple[Week, ...], failed: Failed
) -> Course:
    runs = tuple(
        FailedRun(f"ci:{number}{n}/1/test (ubuntu, 3.12)", START + (80 - n) * DAY, sha((number, n)), PLACE,
                  draw.randint(2, len(tests)), len(tests), draw.choice(tests), failed)
        for n in range(NEWEST)
    )  # fmt: skip
    steps = (
        StateChange(test, State.SUSPECT, START, "failed 1 of 9 runs"),
        StateChange(test, State.FLAKY, START + DAY, "both outcomes at one commit"),
    )
    return Course(weeks, runs, steps)


def examined(test: TestId, other: TestId) -> Finding:
    order = Conditions(in_order=True)

    def trial(label: str, tests: tuple[TestId, ...], conditions: Conditions, failures: int) -> Trial:
        keys = tuple(f"rerun:night-1/1/{100 + number}" for number in range(10))
        return Trial(label, tests, conditions, Counts(10, failures), keys=keys)

    proof = Proof(
        Cause.VICTIM,
        f"after {other} it fails, alone it passes",
        (
            trial("polluter first", (other, test), order, 10),
            trial("without it", (test,), PLAIN, 0),
            trial("polluter first again", (other, test), order, 10),
        ),
        (other,),
    )
    tried = tuple(
        Tried(cause, "passed 10 of 10", (trial("under it", (test,), Conditions(hash_seed=3), 0),))
        for cause in (Cause.HASH_ORDER, Cause.RANDOMNESS, Cause.TIME, Cause.ZONE, Cause.WAITING, Cause.NETWORK)
    )
    return Finding(test, (proof,), tried)


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """Medians, seconds: by the wall, and of CPU time of this process and all that it started."""

    wall: float
    cpu: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def median(rounds: int, call: Callable[[], Answer]) -> tuple[Spent, Answer]:
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), cpu_seconds()
        answer = call()
        walls.append(time.perf_counter() - wall)
        cpus.append(cpu_seconds() - cpu)
    return Spent(statistics.median(walls), statistics.median(cpus)), answer


def cpu_seconds() -> float:
    """Of this process, to the microsecond, and of its living descendants, to the kernel's hundredth."""
    parents, ticks = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)], ticks[int(stat.parent.name)] = (
                int(fields[1]),
                int(fields[11]) + int(fields[12]),
            )
    ours, family = os.getpid(), {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return time.process_time() + sum(ticks.get(pid, 0) for pid in family - {ours}) / os.sysconf("SC_CLK_TCK")


def head(what: str, rounds: int) -> None:
    print(f"{what}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n")
    print(f"| what | seconds, median of {rounds} | of CPU time | |\n| --- | --: | --: | --- |")


def row(what: str, spent: Spent, more: str = "") -> None:
    print(f"| {what} | {spent.wall:.2f} | {spent.cpu:.2f} | {more} |")


def in_browser(path: Path, empty: Path, size: int, rounds: int) -> Spent:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})

        def opened() -> None:
            page.goto(path.as_uri(), wait_until="commit")
            page.wait_for_selector(f"tbody tr:nth-child({min(size, 200)})", state="attached")

        def typed() -> None:
            page.locator("input").fill("")
            page.locator("input").fill(f"number_{size - 1}[")
            page.wait_for_function("document.querySelectorAll('tbody tr').length === 1")

        def looked_at() -> None:
            page.locator("tbody a").click()
            page.wait_for_selector("dl")
            page.keyboard.press("Escape")
            page.wait_for_selector("tbody")

        floor, _ = median(rounds, lambda: page.goto(empty.as_uri()))
        spent, _ = median(rounds, opened)
        row("in Chromium, until the table stands there", spent)
        row("&nbsp; floor: an empty page in the same browser", floor)
        row("&nbsp; sorted by another column", median(rounds, page.locator("th button").first.click)[0])
        row("&nbsp; filtered to one test", median(rounds, typed)[0])
        row("&nbsp; that test's page opened, and back", median(rounds, looked_at)[0])
        browser.close()
    return spent


def page(size: int, rounds: int) -> bool:
    triage, background = many(size)
    head(f"{size:,} tests, all of them listed", rounds)
    reported, report = median(rounds, lambda: to_json(triage, background))
    row("triage.json", reported, f"{len(report) / 1e6:.1f} MB")
    rendered, html = median(rounds, lambda: render_page(triage, report).encode())
    row("flaky.html from it", rendered, f"{len(html) / 1e6:.1f} MB")
    data = json.loads(report)
    floor, _ = median(rounds, lambda: json.dumps(data, separators=(",", ":")))
    row("&nbsp; floor: json.dumps of the same data, compact", floor)
    with tempfile.TemporaryDirectory() as folder:
        path, empty = Path(folder, "flaky.html"), Path(folder, "empty.html")
        path.write_bytes(html)
        empty.write_text("<!doctype html><title>empty</title>", encoding="utf-8")
        shown = in_browser(path, empty, size, rounds)
    whole = reported + rendered + shown
    row("**from the triage to the table**", whole)
    states = {test: told.steps[-1] for test, told in background.courses.items()}
    weeks = {
        test: tuple((week.monday, week.counts.runs, week.counts.failures) for week in told.weeks)
        for test, told in background.courses.items()
    }
    spent, body = median(rounds, lambda: render(triage, states, weeks, OWNERS))
    row("the GitHub issue's body", spent, f"{len(body):,} characters")
    return verdict(f"{size:,} tests in less than {GOAL:g} s", whole.wall < GOAL)


def store(size: int, nights: int, rounds: int) -> bool:
    clock = Now(START + nights * DAY)
    with tempfile.TemporaryDirectory() as folder:
        path, project, runs, newest = Path(folder, "history.db"), Project(suite(size), random.Random(1)), 0, ""
        with Store.open(path, clock, retention_days=nights + 1) as kept:
            for number in range(nights):
                records = tuple(project.night(number))
                newest = next(record.commit for record in reversed(records) if record.group == "branch:main")
                runs += kept.add(Night(f"night {number}", Shard(), START + number * DAY, newest, "ci", records))
        head(f"{size:,} tests, {runs:,} runs, a store of {path.stat().st_size / 1e6:.0f} MB", rounds)

        def read() -> int:
            with Store.open(path, clock, retention_days=nights + 1) as kept:
                return sum(1 for _ in kept.records())

        def judged() -> Triage:
            with Store.open(path, clock, retention_days=nights + 1) as kept:
                return judge(kept.records(), session="s", commit=newest, environment="box", at=clock.now())

        def gathered() -> Background:
            with Store.open(path, clock, retention_days=nights + 1) as kept:
                told = courses(kept.records(), told_of(triage, kept.states()), kept.steps(), str)
                return Background(told, (), OWNERS)

        first, triage = median(rounds, judged)
        row("opened, read and judged", first, f"{len(triage.verdicts)} tests listed")
        second, background = median(rounds, gathered)
        row("opened, read; weeks and newest failures gathered", second)
        third, html = median(rounds, lambda: render_page(triage, to_json(triage, background)))
        row("rendered", third, f"{len(html) / 1e6:.2f} MB")
        whole = first + second + third
        row("**from the store to the page**", whole)
        row("&nbsp; floor: opened, every run read, nothing done with it", median(rounds, read)[0])
    return verdict(f"from a store of {size:,} tests to the page in less than {GOAL:g} s", whole.wall < GOAL)


def verdict(goal: str, met: bool) -> bool:
    print(f"\n- {goal}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, rounds in (("page", 5), ("store", 3)):
        part = parts.add_parser(name)
        part.add_argument("--tests", type=int, default=10_000)
        part.add_argument("--rounds", type=int, default=rounds)
    parts.choices["store"].add_argument("--nights", type=int, default=90)
    given = parser.parse_args()
    met = page(given.tests, given.rounds) if given.part == "page" else store(given.tests, given.nights, given.rounds)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
