"""The history is read through the real adapter from a GitHub whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from bot.adapters.github import GitHubForge
from bot.flaky import cursor as cursors
from bot.flaky import ingest as ingest_module
from bot.flaky.cursor import Cursor
from bot.flaky.ingest import Page, Wanted, ingest
from bot.flaky.meter import Allowance
from bot.flaky.types import RunRecord
from bot.ports import TokenKind
from tests.ci_history import DAY, JOBS, START, TESTS, History, Known, Truth, junit, log
from tests.fakes import FakeClock
from tests.github_server import GitHubServer, JobSpec, Refuse, Repository, routes_runs

WANTED = Wanted(("*junit*",), days=30, allowance=Allowance(calls=100_000, reserve=10))


@dataclass(slots=True)
class Place:
    """A repository, and the forge in front of it."""

    server: GitHubServer
    shop: Repository
    forge: GitHubForge
    token: str

    def night(self, cursor: Cursor, wanted: Wanted = WANTED) -> tuple[list[RunRecord], Page]:
        """All records of one reading, and its last page; the cursor goes through its file."""
        found = cursors.load(cursors.dump(cursor))
        assert isinstance(found, Cursor), found
        pages = list(ingest(self.forge, wanted, found, FakeClock()))
        assert not any(page.scan.complete for page in pages[:-1])
        return [record for page in pages for record in page.records], pages[-1]

    def counted(self) -> int:
        """Requests that count towards the limit, so far."""
        return self.server.token_state(self.token).used


@pytest.fixture
def place(github: GitHubServer) -> Iterator[Place]:
    shop = github.create("octo/shop", {"shop.py": "PRICE = 1\n"})
    for owner in ("mallory", "mallory0", "mallory1", "mallory2"):
        github.fork(shop, owner)
    token = github.token(TokenKind.USER, {"actions": "read", "contents": "read", "metadata": "read"})
    github.token_state(token).limit = 1_000_000
    forge = GitHubForge(
        token,
        "octo/shop",
        api_url=github.api_url,
        server_url=github.server_url,
        graphql_url=github.graphql_url,
        clock=FakeClock(),
    )
    with closing(forge):
        yield Place(github, shop, forge, token)


def seen(records: Iterable[RunRecord], known: Known) -> dict[tuple[int, int, str], Truth]:
    """Records in the words of the truth; each key once."""
    found: dict[tuple[int, int, str], Truth] = {}
    for record in records:
        run, attempt, _ = record.key.removeprefix("ci:").split("/")
        assert record.environment.startswith("tests.yml / ")
        key = (int(run), int(attempt), record.environment.removeprefix("tests.yml / "))
        assert key not in found, key
        failed = frozenset(test.name for test in record.failed)
        found[key] = Truth(frozenset(test.name for test in record.tests) - failed, failed, record.group)
    return found


def test_a_month_is_read_as_it_was_and_the_next_nights_are_cheap(place: Place) -> None:
    history = History(place.shop)
    for day in range(31):
        history.day(day, 2)
    records, last = place.night(Cursor())
    assert last.scan.complete, last.scan.problems
    assert seen(records, history.known) == history.known.truth
    assert last.scan.carried_over == history.known.copies > 0
    assert last.scan.infrastructure == history.known.infrastructure > 0
    assert (last.scan.since, last.scan.until) == (START, max(run.created for run in place.shop.runs))

    before = place.counted()
    records, quiet = place.night(last.cursor)
    assert (records, quiet.scan.complete) == ([], True)
    assert place.counted() == before  # 31 days and three other questions: all of them "not modified"

    old = next(
        run
        for run in place.shop.runs
        if run.created > START + 5 * DAY and run.attempt == 1 and (run.id, 1, JOBS[0]) in history.known.truth
    )
    known = set(history.known.truth)
    history.again(old, old.created + 20 * DAY)
    history.day(31, 2)
    before = place.counted()
    records, next_night = place.night(quiet.cursor)
    assert next_night.scan.complete
    new = {key: truth for key, truth in history.known.truth.items() if key not in known}
    assert seen(records, history.known) == new
    assert (old.id, 2, JOBS[0]) in new
    # Three days changed: that of the run, the one that is over now, the new one. Each run: artifacts, jobs, downloads.
    assert place.counted() - before <= 4 + 3 * 6


def test_an_allowance_that_is_over_is_gone_on_with(place: Place) -> None:
    history = History(place.shop, seed=2)
    for day in range(6):
        history.day(day, 6)
    little = replace(WANTED, allowance=Allowance(calls=25, reserve=10))
    cursor, nights, records = Cursor(), 0, list[RunRecord]()
    while True:
        found, last = place.night(cursor, little)
        records += found
        cursor = last.cursor
        nights += 1
        if last.scan.complete:
            break
        assert "the 25 calls that one session may make are over" in last.scan.problems[0]
        assert nights < 30
    assert nights > 2
    assert seen(records, history.known) == history.known.truth


def test_who_is_killed_after_any_page_goes_on_there(place: Place) -> None:
    history = History(place.shop, seed=3)
    for day in range(4):
        history.day(day, 5)
    whole = list(ingest(place.forge, WANTED, Cursor(), FakeClock()))
    assert len(whole) > 3
    for killed in range(len(whole)):
        kept = [record for page in whole[: killed + 1] for record in page.records]
        rest, last = place.night(whole[killed].cursor)
        assert last.scan.complete
        assert seen([*kept, *rest], history.known) == history.known.truth


@pytest.mark.parametrize("status", [403, 429])
def test_a_spent_limit_ends_the_night_and_loses_nothing(place: Place, status: int) -> None:
    history = History(place.shop, seed=4)
    for day in range(3):
        history.day(day, 5)
    place.server.fault(
        "GET",
        r"/actions/runs/\d+/artifacts",
        Refuse(status, "API rate limit exceeded", {"X-RateLimit-Remaining": "0", "Retry-After": "3000"}),
        nth=4,
    )
    found, last = place.night(Cursor())
    assert not last.scan.complete
    assert "rate limit" in last.scan.problems[0]
    rest, last = place.night(last.cursor)
    assert last.scan.complete
    assert seen([*found, *rest], history.known) == history.known.truth


def test_what_others_need_of_the_hour_is_left(place: Place) -> None:
    History(place.shop, seed=5).day(0, 20)
    state = place.server.token_state(place.token)
    state.limit, state.reset_at = 60, 2_000_000_000
    _, last = place.night(Cursor(), replace(WANTED, allowance=Allowance(calls=1_000, reserve=40)))
    assert not last.scan.complete
    assert state.used == 20


def test_a_day_with_more_runs_than_are_listed_is_halved(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's 1,000 are made 10 on both sides: the same way, fewer requests."""
    monkeypatch.setattr(ingest_module, "LISTED", 10)
    monkeypatch.setattr(routes_runs, "LISTED", 10)
    for each in range(24):
        place.shop.add_run("tests", head_sha="a" * 40, conclusion="success", created=START + each * 1200)
    place.shop.add_run("tests", head_sha="a" * 40, conclusion="success", created=START + DAY)
    _, last = place.night(Cursor(), replace(WANTED, days=2))
    assert last.scan.complete, last.scan.problems
    assert last.scan.runs == 25
    assert len(last.cursor.spans) > 4
    before = place.counted()
    _, again = place.night(last.cursor, replace(WANTED, days=2))
    assert again.scan.complete
    assert again.scan.runs == 0
    assert place.counted() - before <= 3
    for _ in range(11):
        place.shop.add_run("tests", head_sha="a" * 40, conclusion="success", created=START)
    _, crowded = place.night(Cursor(), replace(WANTED, days=2))
    assert not crowded.scan.complete
    assert "history has more than 10 runs in one second; the rest was left" in crowded.scan.problems


def test_a_failing_code_host_is_passed_over_and_tried_again(place: Place) -> None:
    history = History(place.shop, seed=6)
    history.day(0, 8)
    place.server.fault("GET", r"/actions/runs/\d+/artifacts", Refuse(502), nth=2, times=4)
    found, last = place.night(Cursor())
    assert not last.scan.complete
    assert any("tries again" in problem for problem in last.scan.problems)
    rest, last = place.night(last.cursor)
    assert last.scan.complete
    assert seen([*found, *rest], history.known) == history.known.truth


def test_a_pull_request_has_one_voice(place: Place) -> None:
    place.shop.commit("topic", {"shop.py": "PRICE = 2\n"})
    number = place.shop.add_pull("topic").number
    for each in range(3):
        place.shop.add_run(
            "tests",
            head_sha="b" * 40,
            branch="topic",
            event="pull_request",
            pull_requests=[number],
            created=START + each * 60,
            jobs=(JobSpec("test"),),
            artifacts={"junit": {"junit.xml": junit({TESTS[0]})}},
        )
    records, _ = place.night(Cursor())
    assert {record.group for record in records} == {f"pr:{number}"}
    assert len({record.commit for record in records}) == 3  # each tested the merge of its own moment
    assert all(record.commit.startswith("b" * 40 + "@") for record in records)


def test_forks_cannot_use_up_the_night(place: Place) -> None:
    for each in range(90):
        place.shop.add_run(
            "tests",
            head_sha="c" * 40,
            branch=f"topic-{each}",
            event="pull_request",
            head_repository=f"mallory{each % 3}/shop",
            created=START + each * 60,
            artifacts={"junit": b"PK no archive"},
        )
    records, last = place.night(Cursor())
    assert records == []
    assert last.scan.complete
    assert last.scan.runs == 40
    assert any("forks, were left out" in problem for problem in last.scan.problems)


def test_one_job_with_several_suites(place: Place) -> None:
    """Suites without a test in common are one run; the same suite twice is two, and no retry."""
    other = tuple(f"other_{name}" for name in TESTS)
    for created, files in (
        (START, {"unit.xml": junit(set()), "more.xml": junit({other[0]}, other)}),
        (START + 60, {"a/junit.xml": junit({TESTS[0]}), "b/junit.xml": junit(set())}),
    ):
        place.shop.add_run("tests", head_sha="d" * 40, created=created, artifacts={"junit": files})
    records, _ = place.night(Cursor())
    assert sorted((record.environment, len(record.tests), len(record.failed)) for record in records) == [
        ("tests.yml / test", 24, 1),
        ("tests.yml / test [a]", 12, 1),
        ("tests.yml / test [b]", 12, 0),
    ]


def test_a_green_job_with_failures_in_its_report_contradicts_itself(place: Place) -> None:
    place.shop.add_run(
        "tests",
        head_sha="e" * 40,
        created=START,
        conclusion="success",
        artifacts={"junit": {"junit.xml": junit({TESTS[0]})}},
    )
    (record,), _ = place.night(Cursor())
    assert not record.failed
    assert {test.name for test in record.unknown} == {TESTS[0]}


def test_a_log_that_names_failures_alone_gives_no_rate(place: Place) -> None:
    place.shop.add_run("tests", head_sha="f" * 40, created=START, logs={"test": log({TESTS[1]})})
    (record,), _ = place.night(Cursor())
    assert ([test.name for test in record.tests], record.whole, record.base) == ([TESTS[1]], False, False)


def test_an_empty_history_is_read_whole(place: Place) -> None:
    records, last = place.night(Cursor())
    assert records == []
    assert last.scan.complete
