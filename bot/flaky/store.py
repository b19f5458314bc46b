"""The history on disk: one SQLite file that any night can be added to, once. Losing it loses nothing but time where the
nights are kept elsewhere: it is rebuilt from them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import BotError
from bot.evidence.types import TestId
from bot.flaky.findings import standing
from bot.flaky.names import full_names, renamed
from bot.flaky.nights import Unreadable, dump, folded, load
from bot.flaky.states import Refused, replay, step
from bot.flaky.store_records import Records
from bot.flaky.store_schema import prepare
from bot.flaky.types import Finding, Night, RunRecord, State, StateChange
from bot.ports import Clock

RETENTION_DAYS = 90
_DAY = 86_400.0
_WAIT = 30.0  # seconds for another process that writes


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
        told = f"rebuilt from {count} nights"
        if nights is None:
            told = "begun anew; what earlier sessions wrote as night.jsonl is taken in where it is named beside it"
        store.problems = (f"the history {path.name} could not be read ({why}): kept as {aside.name}, {told}",)
        return store

    def add(self, night: Night) -> int:
        """Take a night in; how many of its runs were new. A second time the same night changes nothing. Runs older than
        the retention are dropped, from the file and from the night."""
        night = folded(night)
        horizon = self._clock.now() - self._retention
        with self._writing() as connection:
            values = (night.session, night.shard.number, night.shard.of, night.at, night.commit, night.environment)
            connection.execute(
                "INSERT OR IGNORE INTO nights (session, shard, of, at, [commit], environment) VALUES (?,?,?,?,?,?)",
                values,
            )
            if night.findings:
                self._tell(night, values[:4])
            fresh = sum(self._records.add(record) for record in night.records if record.at >= horizon)
            for change in night.changes:
                self._keep(change)
            self._forget(horizon)
        return fresh

    def records(self, since: float = 0.0) -> Iterator[RunRecord]:
        """All runs from a time on, oldest first, one at a time, each test under its full name where that is known.
        BotError where the file was damaged meanwhile."""
        try:
            tests = self._connection.execute("SELECT file, classname, name FROM tests")
            yield from renamed(self._records.read(since), full_names(TestId(*row) for row in tests))
        except (sqlite3.DatabaseError, LookupError, ValueError, TypeError, zlib.error) as error:
            raise BotError(
                f"a row of the history cannot be read ({error}); move the file away to rebuild it"
            ) from error

    def take(self, changes: Iterable[StateChange]) -> tuple[Refused, ...]:
        """Steps in tests' lives, in their order, where each may follow the last one; what is given back may not."""
        refused = []
        with self._writing():
            states = dict(self.states())
            for change in changes:
                taken = step(states.get(change.test), change)
                if isinstance(taken, Refused):
                    refused.append(taken)
                else:
                    self._keep(taken)
                    states[taken.test] = taken
        return tuple(refused)

    def states(self) -> Mapping[TestId, StateChange]:
        """The last step of each test that has a state."""
        return replay(self._changes()).states

    def steps(self) -> Mapping[TestId, tuple[StateChange, ...]]:
        """The steps that each test with a state took, oldest first."""
        return replay(self._changes()).lives

    def findings(self) -> tuple[Finding, ...]:
        """What experiments found and still holds (`standing`), by their nights' times."""
        fixed = {test: change.at for test, change in self.states().items() if change.state is State.FIXED}
        return standing(self._findings(), fixed)

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

    def _tell(self, night: Night, key: tuple[str, int, int, float]) -> None:
        """What its experiments found, where that does not stand there already: a night that was killed and went on is
        added with more."""
        content = dump(replace(night, records=(), regressions=(), changes=(), scan=None, problems=()))
        (number,) = self._connection.execute(
            "SELECT id FROM nights WHERE session = ? AND shard = ? AND of = ? AND at = ?", key
        ).fetchone()
        self._connection.execute(
            "INSERT INTO told (night, at, content) SELECT ?1, ?2, ?3 WHERE NOT EXISTS "
            "(SELECT 1 FROM told WHERE night = ?1 AND content = ?3)",
            (number, night.at, content),
        )

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
