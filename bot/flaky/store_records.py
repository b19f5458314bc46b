"""Runs to rows and back. Tests are numbers; orders are kept once, compressed, for most runs share theirs."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterator, Mapping

from bot.evidence.types import TestId
from bot.flaky.nights import digest, told_conditions
from bot.flaky.nights_read import read_conditions
from bot.flaky.strict_json import an_object, parse
from bot.flaky.types import Failed, RunRecord, RunSource
from bot.toolchains.types import Conditions

_ORDERS = 256  # kept in memory while reading: runs of one time share theirs
_MOST_TESTS = 4_000_000  # bytes of an order when it is unpacked


class Records:
    """Of one connection. Reads and writes inside whatever transaction its caller has begun."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[TestId, int] = {}
        self._known: dict[int, tuple[tuple[TestId, ...], int]] = {}  # by identity; the tuple is held, so its id stays

    def forget(self) -> None:
        """What is remembered of rows that may be gone."""
        self._numbers.clear()
        self._known.clear()

    def number(self, test: TestId) -> int:
        """Of a test, which is added where it is new."""
        known = self._numbers.get(test)
        if known is None:
            values = (test.file, test.classname, test.name)
            self._connection.execute("INSERT OR IGNORE INTO tests (file, classname, name) VALUES (?,?,?)", values)
            row = self._connection.execute(
                "SELECT id FROM tests WHERE file = ? AND classname = ? AND name = ?", values
            ).fetchone()
            known = self._numbers[test] = int(row[0])
        return known

    def add(self, record: RunRecord) -> bool:
        """Whether it was new. Of two records with one key that differ always the same one stays."""
        mark = digest(record)
        row = self._connection.execute("SELECT id, digest FROM runs WHERE key = ?", (record.key,)).fetchone()
        if row is not None:
            if row[1] <= mark:
                return False
            self._connection.execute("DELETE FROM runs WHERE id = ?", (row[0],))
        durations = {self.number(test): seconds for test, seconds in record.durations.items()}
        run = self._connection.execute(
            "INSERT INTO runs (key, digest, at, source, source_group, [commit], environment, attempt, seconds, tests, "
            "whole, base, conditions, purpose, durations) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                record.key,
                mark,
                record.at,
                record.source,
                record.group,
                record.commit,
                record.environment,
                record.attempt,
                record.seconds,
                self._order(record.tests),
                record.whole,
                record.base,
                json.dumps(told_conditions(record.conditions)),
                record.purpose,
                zlib.compress(json.dumps(durations).encode(), 1) if durations else None,
            ),
        ).lastrowid
        rows = [
            (run, self.number(test), "failed", failed.fingerprint, failed.exception, failed.message)
            for test, failed in record.failed.items()
        ]
        rows += [(run, self.number(test), "retried", "", "", "") for test in record.retried]
        rows += [(run, self.number(test), "unknown", "", "", "") for test in record.unknown]
        self._connection.executemany("INSERT INTO outcomes VALUES (?,?,?,?,?,?)", rows)
        return row is None

    def read(self, since: float) -> Iterator[RunRecord]:
        """Oldest first."""
        tests = {
            number: TestId(*rest)
            for number, *rest in self._connection.execute("SELECT id, file, classname, name FROM tests")
        }
        orders: dict[int, tuple[TestId, ...]] = {}
        conditions: dict[str, Conditions] = {}
        runs = self._connection.execute(
            "SELECT id, key, source, source_group, [commit], environment, attempt, at, seconds, tests, whole, base, "
            "conditions, purpose, durations FROM runs WHERE at >= ? ORDER BY at, key",
            (since,),
        )
        for run, key, source, group, commit, environment, attempt, at, seconds, order, whole, base, told, *rest in runs:
            if order not in orders:
                if len(orders) >= _ORDERS:
                    del orders[next(iter(orders))]
                orders[order] = self._tests_of(order, tests)
            if told not in conditions:
                conditions[told] = _conditions(told)
            purpose, durations = rest
            kinds: dict[str, dict[TestId, Failed]] = {"failed": {}, "retried": {}, "unknown": {}}
            for test, kind, *failed in self._connection.execute(
                "SELECT test, kind, fingerprint, exception, message FROM outcomes WHERE run = ?", (run,)
            ):
                kinds[kind][tests[test]] = Failed(*failed)
            yield RunRecord(
                key=key,
                source=RunSource(source),
                group=group,
                commit=commit,
                environment=environment,
                attempt=attempt,
                at=at,
                seconds=seconds,
                tests=orders[order],
                failed=kinds["failed"],
                retried=frozenset(kinds["retried"]),
                unknown=frozenset(kinds["unknown"]),
                durations=_durations(durations, tests),
                whole=bool(whole),
                conditions=conditions[told],
                purpose=purpose,
                base=bool(base),
            )

    def _order(self, tests: tuple[TestId, ...]) -> int:
        known = self._known.get(id(tests))
        if known is not None:
            return known[1]
        packed = array("I", map(self.number, tests)).tobytes()
        mark = hashlib.sha256(packed).digest()
        self._connection.execute(
            "INSERT OR IGNORE INTO orders (digest, tests) VALUES (?,?)", (mark, zlib.compress(packed, 1))
        )
        (number,) = self._connection.execute("SELECT id FROM orders WHERE digest = ?", (mark,)).fetchone()
        if len(self._known) >= _ORDERS:
            self._known.clear()
        self._known[id(tests)] = (tests, int(number))
        return int(number)

    def _tests_of(self, order: int, tests: Mapping[int, TestId]) -> tuple[TestId, ...]:
        (packed,) = self._connection.execute("SELECT tests FROM orders WHERE id = ?", (order,)).fetchone()
        numbers = array("I")
        numbers.frombytes(zlib.decompressobj().decompress(packed, _MOST_TESTS))
        return tuple(tests[number] for number in numbers)


def _conditions(text: str) -> Conditions:
    return read_conditions(an_object(parse(text.encode(), 1), "conditions"))


def _durations(packed: bytes | None, tests: Mapping[int, TestId]) -> dict[TestId, float]:
    if packed is None:
        return {}
    return {tests[int(number)]: seconds for number, seconds in json.loads(zlib.decompress(packed)).items()}
