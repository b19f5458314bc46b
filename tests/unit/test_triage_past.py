"""What `grokfix triage` knows besides tonight's runs: files, the history store, the checkout's lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.triage_files import judged
from bot.commands.triage_past import Lists, background, lists_of, opened
from bot.errors import ConfigError
from bot.flaky.nights import dump
from bot.flaky.quarantine import LIST, Entry, Quarantine
from bot.flaky.quarantine import dump as listed
from bot.flaky.types import Cause, Counts, Finding, Night, Proof, RunSource, Shard, State, Trial
from bot.flaky.verdict import Kind, Triage
from bot.publish.flaky_report import Background
from bot.toolchains.types import PLAIN
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import FakeClock
from tests.flaky_records import START, ids, run

A, B = ids("a b")
DAY = 86_400.0
ENTRY = Entry(A, "failed 1 of 2", "", "@org/shop", "", "2026-09-21", "2026-10-05")
PROVEN = Finding(A, (Proof(Cause.ZONE, "how", (Trial("with", (A,), PLAIN, Counts(9, 9)),)),), ())


def clock(day: float) -> FakeClock:
    given = FakeClock()
    given.time = START + day * DAY - 1_800_000_000.0
    return given


def session(number: int, *, fails: bool, findings: tuple[Finding, ...] = ()) -> Night:
    """A session of two runs at one commit; `a` fails in one of them, or in none."""
    at = START + number * DAY
    records = tuple(
        run("c", "a b", "a" if fails and turn else "", at=at + turn, source=RunSource.RERUN, environment="box")
        for turn in range(2)
    )
    return Night(f"local-{number}", Shard(), at, "c", "box", records, findings)


def hold(path: Path, night: Night, *entries: Entry) -> tuple[Triage, Background]:
    """What `grokfix triage --history FILE` makes of a session: its triage and what it tells besides."""
    with opened([str(path)], clock((night.at - START) / DAY), 90) as past:
        history = past.known()
        triage = judged([night], history, past.problems, findings=past.add(night))
        return triage, background(triage, night, past, Lists(entries), str)


def test_a_store_tells_weeks_steps_and_what_was_proven_before(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    hold(path, session(0, fails=True, findings=(PROVEN,)))
    triage, behind = hold(path, session(8, fails=True))
    (verdict,) = triage.verdicts
    assert (verdict.kind, verdict.cause, verdict.counts) == (Kind.FLAKY, Cause.ZONE, Counts(4, 2))
    course = behind.courses[A]
    assert [week.counts for week in course.weeks] == [Counts(2, 1), Counts(2, 1)]
    assert [step.state for step in course.steps] == [State.FLAKY]
    assert [each.at for each in course.failed] == [START + 8 * DAY + 1, START + 1]


def test_the_quarantine_is_followed_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    hold(path, session(0, fails=True))
    _, behind = hold(path, session(1, fails=False), ENTRY)
    assert [(step.state, step.until) for step in behind.courses[A].steps] == [
        (State.FLAKY, ""),
        (State.QUARANTINED, "2026-10-05"),
    ]
    assert behind.quarantine == (ENTRY,)
    _, behind = hold(path, session(40, fails=False), ENTRY)
    assert behind.courses[A].steps[-1].state is State.EXPIRED


def test_without_a_store_the_files_and_the_night_tell(tmp_path: Path) -> None:
    old, new = session(0, fails=True), session(8, fails=True)
    (tmp_path / "night.jsonl").write_bytes(dump(old))
    with opened([str(tmp_path / "night.jsonl")], clock(8), 90) as past:
        assert past.add(new) is None
        triage = judged([new], past.known(), ())
        behind = background(triage, new, past, Lists((replace(ENTRY, test=B),)), str)
    assert [week.counts for week in behind.courses[A].weeks] == [Counts(2, 1), Counts(2, 1)]
    assert behind.courses[A].steps == ()
    assert list(behind.courses) == [A, B], "what is in quarantine is never lost from sight"


def test_a_store_that_cannot_be_read_is_made_anew_of_the_nights_beside_it(tmp_path: Path) -> None:
    path, night = tmp_path / "history.db", tmp_path / "out" / "night.jsonl"
    night.parent.mkdir()
    night.write_bytes(dump(session(0, fails=True, findings=(PROVEN,))))
    for beside, told in (((), "begun anew; "), ((str(night.parent),), "rebuilt from 1 nights")):
        path.write_bytes(b"SQLite format 3\0" + b"torn" * 2_000)
        with opened([str(path), *beside], clock(1), 90) as past:
            (problem,) = past.problems
            assert told in problem and "kept as history.db.corrupt-" in problem
            assert past.store is not None
            assert [each.test for each in past.store.findings()] == ([A] if beside else [])
            assert len(list(past.store.records())) == (2 if beside else 0)


def test_one_store_and_no_more(tmp_path: Path) -> None:
    two = opened([str(tmp_path / "a.db"), str(tmp_path / "b.sqlite")], clock(0), 90)
    with pytest.raises(ConfigError, match=r"one history store.*a\.db.*b\.sqlite"):
        two.__enter__()
    with opened([str(tmp_path / "missing.xml")], clock(0), 90) as past:
        assert (past.records, past.store) == ((), None)
        assert "missing.xml" in past.problems[0] and "does not exist" in past.problems[0]


@pytest.mark.parametrize("folder", [".", "backend"])
def test_the_lists_are_the_commits(tmp_path: Path, folder: str) -> None:
    content = listed(Quarantine((ENTRY,))).decode()
    repository = repositories.make(tmp_path / "shop", {f"{folder}/{LIST}": content, "CODEOWNERS": "* @org/all\n"})
    (repository / folder / LIST).write_text("not committed", encoding="utf-8")
    lists = lists_of(Repository.open(repository, tmp_path / "scratch"), folder)
    assert (lists.quarantine, lists.problems) == ((ENTRY,), ())
    assert lists.owners.of("tests/x.py") == ("@org/all",)


def test_a_list_that_cannot_be_read_quarantines_nothing_and_is_told(tmp_path: Path) -> None:
    repository = repositories.make(tmp_path / "shop", {LIST: "{", "a.py": "\n"})
    lists = lists_of(Repository.open(repository, tmp_path / "scratch"), ".")
    assert lists.quarantine == ()
    assert LIST in lists.problems[0] and "nothing is in quarantine" in lists.problems[0]
    other = repositories.make(tmp_path / "plain", {"a.py": "\n"})
    assert lists_of(Repository.open(other, tmp_path / "scratch2"), ".") == Lists()
