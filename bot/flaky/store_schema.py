"""The history's tables, and how older files become like them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from bot.errors import ConfigError

APPLICATION = 0x67726B66  # "grkf": what PRAGMA application_id says of our files
VERSION = 2

FIRST = """
CREATE TABLE tests (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, classname TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (file, classname, name)
) STRICT;
CREATE TABLE orders (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, tests BLOB NOT NULL) STRICT;
CREATE TABLE nights (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, shard INTEGER NOT NULL, of INTEGER NOT NULL, at REAL NOT NULL,
    "commit" TEXT NOT NULL, environment TEXT NOT NULL, UNIQUE (session, shard, of, at)
) STRICT;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, at REAL NOT NULL, source TEXT NOT NULL,
    source_group TEXT NOT NULL, "commit" TEXT NOT NULL, environment TEXT NOT NULL, attempt INTEGER NOT NULL,
    seconds REAL NOT NULL, tests INTEGER NOT NULL REFERENCES orders, whole INTEGER NOT NULL, base INTEGER NOT NULL,
    conditions TEXT NOT NULL, purpose TEXT NOT NULL, durations BLOB
) STRICT;
CREATE INDEX runs_by_time ON runs (at, key);
CREATE TABLE outcomes (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, test INTEGER NOT NULL REFERENCES tests, kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL, exception TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (run, test)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    test INTEGER NOT NULL REFERENCES tests, state TEXT NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL,
    by TEXT NOT NULL, until TEXT NOT NULL, UNIQUE (test, state, at, reason, by, until)
) STRICT;
"""
"""Version 1 as it was; a file of it is brought up to date by `_STEPS`. Outcomes: only those that are no pass."""

_TABLES = {"tests", "orders", "nights", "runs", "outcomes", "changes", "told"}

_STEPS: Mapping[int, str] = {
    1: """
CREATE TABLE told (
    id INTEGER PRIMARY KEY, night INTEGER NOT NULL REFERENCES nights ON DELETE CASCADE, at REAL NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX outcomes_by_test ON outcomes (test, run);
""",
}
"""From each version to the next. 2: what experiments found, as a night without runs (`told.content`, nights.dump)."""


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables, or bring older ones up to date, whole or not at all. sqlite3.DatabaseError where the file is not
    ours or damaged; ConfigError where a newer grokfix wrote it."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION:
            raise sqlite3.DatabaseError("it is a database of something else")
        if version > VERSION:
            raise ConfigError(
                f"{path}: the history was written by a newer grokfix (schema {version}, this one knows {VERSION}); "
                "use that one, or another file"
            )
        if not tables:
            _run(connection, FIRST)
            version = 1
        elif version < 1:
            raise sqlite3.DatabaseError("it tells no schema version")
        for step in range(version, VERSION):
            _run(connection, _STEPS[step])
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if missing := _TABLES - there:
            raise sqlite3.DatabaseError(f"it has no table {', '.join(sorted(missing))}")
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _run(connection: sqlite3.Connection, script: str) -> None:
    """One statement after another: `executescript` would end the transaction."""
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)
