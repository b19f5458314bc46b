"""The history on disk: one SQLite file that any night can be added to, once. Losing it loses nothing but time where the
nights are kept elsewhere: it is rebuilt from them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import BotError
from bot.evidence.types import TestId
from bot.flaky.ledger import Ledger
from bot.flaky.nights import Unreadable, dump, folded, load
from bot.flaky.states import Refused, replay, step
from bot.flaky.statistics import wilson
from bot.flaky.store_records import Records
from bot.flaky.store_schema import prepare
from bot.flaky.tally import tallies
from bot.flaky.types import Cause, Counts, Finding, Interval, Night, RunRecord, State, StateChange, Tally
from bot.ports import Clock

RETENTION_DAYS = 90
_DAY = 86_400.0
_WAIT = 30.0  # seconds for another process that writes


@dataclass(frozen=True, slots=True)
class NightKey:
    """Which night: session, shard, time."""

    session: str
    shard: int
    of: int
    at: float


@dataclass(frozen=True, slots=True)
class Week:
    """A test's ordinary runs from a Monday on (ISO date, UTC). interval: Wilson 95 %."""

    monday: str
    counts: Counts
    interval: Interval


class Store:
    """One history file. `problems` says what had to be done to open it. Every method that writes does it whole or not
    at all; another process may write meanwhile. BotError where the disk does not take it."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, retention_days: int) -> None:
        """For `open` only."""
        self.problems: tuple[str, ...] = ()
        self._connection, self._clock, self._retention = connection, clock, retention_days * _DAY
        self._records = Records(connection)

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        nights: Callable[[], Iterable[Night]] | None = None,
        retention_days: int = RETENTION_DAYS,
    ) -> Store:
        """The history at `path`, made where there is none. A file that cannot be read is kept as NAME.corrupt-TIME and
        made anew, from `nights` where they are given; `problems` says so."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(_connect(path), clock, retention_days)
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BotError(f"{path}: another process has been writing the history; try again later") from error
            if code != sqlite3.SQLITE_ERROR:  # which is: its tables are not ours
                raise BotError(f"{path}: the history cannot be opened ({error}); give another place") from error
            aside, why = _set_aside(path, clock), str(error)
        except sqlite3.DatabaseError as error:
            aside, why = _set_aside(path, clock), str(error)
        try:
            store = cls(_connect(path), clock, retention_days)
        except sqlite3.DatabaseError as error:
            raise BotError(f"{path}: no history can be written there ({error}); give another place") from error
        count = 0
        for night in nights() if nights is not None else ():
            store.add(night)
            count += 1
        told = f"rebuilt from {count} nights" if nights is not None else "begun anew, for no nights were given"
        store.problems = (f"the history {path.name} could not be read ({why}): kept as {aside.name}, {told}",)
        return store

    def add(self, night: Night) -> int:
        """Take a night in; how many of its runs were new. A second time the same night changes nothing. Runs older than
        the retention are dropped, from the file and from the night."""
        night = folded(night)
        horizon = self._clock.now() - self._retention
        with self._writing() as connection:
            values = (night.session, night.shard.number, night.shard.of, night.at, night.commit, night.environment)
            known = connection.execute(
                "INSERT OR IGNORE INTO nights (session, shard, of, at, [commit], environment) VALUES (?,?,?,?,?,?)",
                values,
            )
            if known.rowcount and (night.findings or night.regressions):
                content = dump(replace(night, records=(), changes=(), scan=None, problems=()))
                connection.execute(
                    "INSERT INTO told (night, at, content) VALUES (?,?,?)", (known.lastrowid, night.at, content)
                )
            fresh = sum(self._records.add(record) for record in night.records if record.at >= horizon)
            for change in night.changes:
                self._keep(change)
            self._forget(horizon)
        return fresh

    def has(self, session: str, shard: int) -> bool:
        """Whether that shard's night was added."""
        row = self._connection.execute("SELECT 1 FROM nights WHERE session = ? AND shard = ?", (session, shard))
        return row.fetchone() is not None

    def nights(self) -> tuple[NightKey, ...]:
        """Those that were added, oldest first."""
        rows = self._connection.execute("SELECT session, shard, of, at FROM nights ORDER BY at, session, shard")
        return tuple(NightKey(*row) for row in rows)

    def records(self, since: float = 0.0) -> Iterator[RunRecord]:
        """All runs from a time on, oldest first, one at a time. BotError where the file was damaged meanwhile."""
        try:
            yield from self._records.read(since)
        except (sqlite3.DatabaseError, LookupError, ValueError, TypeError, zlib.error) as error:
            raise BotError(
                f"a row of the history cannot be read ({error}); move the file away to rebuild it"
            ) from error

    def tallies(self, since: float = 0.0) -> Mapping[TestId, Tally]:
        """Of every test, of the runs from a time on."""
        return tallies(Ledger().add_all(self.records(since)))

    def weeks(self, tests: Iterable[TestId], since: float = 0.0) -> Mapping[TestId, tuple[Week, ...]]:
        """Rates by week of ordinary runs, infrastructure's left out; oldest first, weeks without a run are not told."""
        wanted = tuple(dict.fromkeys(tests))
        ledger = Ledger().add_all(self.records(since))
        runs: dict[tuple[int, str], int] = {}
        masks = {}
        for run in ledger.runs:
            if run.base and run.complete:
                place = (id(run.mask), _monday(run.at))
                masks[id(run.mask)] = run.mask
                runs[place] = runs.get(place, 0) + 1
        answer = {}
        for test in wanted:
            number = ledger.number(test)
            if number is None:
                continue
            ran: dict[str, int] = {}
            for (mask, monday), count in runs.items():
                if number in masks[mask]:
                    ran[monday] = ran.get(monday, 0) + count
            failed: dict[str, int] = {}
            for run, _ in ledger.failures.get(number, ()):
                if run.base and run.complete:
                    failed[_monday(run.at)] = failed.get(_monday(run.at), 0) + 1
            counts = {monday: Counts(count, failed.get(monday, 0)) for monday, count in sorted(ran.items())}
            answer[test] = tuple(Week(monday, count, wilson(count)) for monday, count in counts.items())
        return answer

    def change(self, change: StateChange) -> StateChange | Refused:
        """Take a step in a test's life, where it may follow the last one."""
        with self._writing():
            taken = step(self.states().get(change.test), change)
            if not isinstance(taken, Refused):
                self._keep(taken)
        return taken

    def states(self) -> Mapping[TestId, StateChange]:
        """The last step of each test that has a state."""
        return replay(self._changes()).states

    def state(self, test: TestId) -> State | None:
        """None: it has none."""
        current = self.states().get(test)
        return None if current is None else current.state

    def life(self, test: TestId) -> tuple[StateChange, ...]:
        """All steps told of a test, oldest first."""
        return tuple(change for change in self._changes() if change.test == test)

    def findings(self) -> Mapping[TestId, Finding]:
        """What experiments found last, by test."""
        return {finding.test: finding for _, finding in self._findings()}

    def causes(self, test: TestId) -> tuple[tuple[Cause, float], ...]:
        """Causes that were proven, with the time of the newest proof, newest first."""
        found: dict[Cause, float] = {}
        for at, finding in self._findings():
            if finding.test == test:
                found.update({proof.cause: at for proof in finding.proofs})
        return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def forget(self) -> int:
        """Drop what is older than the retention; how many runs. States stay: they are small, and were decided."""
        with self._writing():
            return self._forget(self._clock.now() - self._retention)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _findings(self) -> Iterator[tuple[float, Finding]]:
        for at, content in self._connection.execute("SELECT at, content FROM told ORDER BY at, id"):
            night = load(content)
            if not isinstance(night, Unreadable):
                yield from ((at, finding) for finding in night.findings)

    def _changes(self) -> Iterator[StateChange]:
        rows = self._connection.execute(
            "SELECT file, classname, name, state, at, reason, by, until FROM changes JOIN tests ON tests.id = test "
            "ORDER BY at, state, by, reason, until"
        )
        for file, classname, name, state, *rest in rows:
            yield StateChange(TestId(file, classname, name), State(state), *rest)

    def _keep(self, change: StateChange) -> None:
        values = (change.state, change.at, change.reason, change.by, change.until)
        self._connection.execute(
            "INSERT OR IGNORE INTO changes (test, state, at, reason, by, until) VALUES (?,?,?,?,?,?)",
            (self._records.number(change.test), *values),
        )

    def _forget(self, horizon: float) -> int:
        gone = self._connection.execute("DELETE FROM runs WHERE at < ?", (horizon,)).rowcount
        old = self._connection.execute("DELETE FROM nights WHERE at < ?", (horizon,)).rowcount
        if gone or old:
            self._connection.execute("DELETE FROM orders WHERE id NOT IN (SELECT tests FROM runs)")
            self._records.forget()
        return gone

    def _writing(self) -> _Transaction:
        return _Transaction(self._connection, self._records)


class _Transaction:
    """Whole or not at all; what SQLite says against it is told as ours."""

    def __init__(self, connection: sqlite3.Connection, records: Records) -> None:
        self._connection, self._records = connection, records

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise BotError(f"the history cannot be written now ({error}); try again later") from error
        self._records.forget()  # another process may have taken rows away since
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._connection.execute("COMMIT")
            return
        if self._connection.in_transaction:  # on a full disk SQLite has rolled back by itself
            self._connection.execute("ROLLBACK")
        self._records.forget()
        if isinstance(error, sqlite3.Error):
            raise BotError(f"the history could not be written ({error}); is the disk full?") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        prepare(connection, str(path))
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict)[:200])
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path, clock: Clock) -> Path:
    """The file and what SQLite keeps beside it, under names that nothing has yet."""
    stamp = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = path.with_name(f"{path.name}.corrupt-{stamp}"), 1
    while aside.exists():
        aside, number = path.with_name(f"{path.name}.corrupt-{stamp}-{number}"), number + 1
    try:
        for ending in ("-journal", "-wal", "-shm"):
            beside = path.with_name(path.name + ending)
            if beside.exists():
                beside.replace(aside.with_name(aside.name + ending))
        path.replace(aside)
    except OSError as error:
        raise BotError(f"{path}: the history cannot be read, nor moved aside ({error}); give another place") from error
    return aside


def _monday(at: float) -> str:
    day = datetime.fromtimestamp(at, UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()
