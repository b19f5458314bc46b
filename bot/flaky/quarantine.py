"""Quarantine: failures of proven flaky tests stop making CI red, until a date. A proposal, made as a pull request.

It adds a list (grokfix-quarantine.json), one standard-library file that pytest loads (in_repository) and, in a
conftest.py, the lines that load it. Quarantined tests keep running, and broken ones never enter. A list that names no
test any more is taken out of the repository with all that came with it. Pure: files in, files out.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import TypeAlias

from bot.evidence.types import TestId
from bot.flaky.conftest_block import Placed, place, remove
from bot.flaky.strict_json import MalformedError, a_list, a_string, an_object, parse, take
from bot.flaky.verdict import Kind, Verdict

LIST = "grokfix-quarantine.json"
PLUGIN = "grokfix_quarantine.py"
FORMAT = "grokfix-quarantine/1"
MOST_DAYS = 90
"""The longest quarantine that is proposed: what nobody mended in that time is decided anew."""
MOST_TESTS = 1_000
_MOST_BYTES = 4 << 20
_TEXT = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """A test in quarantine. since, until: ISO dates, UTC, `until` is the last day. owner: as CODEOWNERS writes it.
    issue: an address. Texts are untrusted."""

    test: TestId
    reason: str
    cause: str
    owner: str
    issue: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A list as it stands in a repository. loaded_by: path of the conftest.py that loads it, "" = none of ours."""

    entries: tuple[Entry, ...] = ()
    loaded_by: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A list that is not as we write it; `why` says what is wrong. It quarantines nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A test that may not be quarantined, and why."""

    test: TestId
    why: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a pull request writes: path → content, None deletes. by_hand: a sentence on what a person has to add for the
    list to take effect, "" = nothing. loaded_by: the conftest.py that loads it."""

    files: Mapping[str, bytes | None]
    by_hand: str = ""
    loaded_by: str = ""


Reading: TypeAlias = Quarantine | Unreadable


def entry_for(verdict: Verdict, *, at: float, days: int, owner: str = "", issue: str = "") -> Entry | Refused:
    """The entry of a flaky test from the day of `at` (seconds since the epoch) on, for at most MOST_DAYS days."""
    if verdict.kind is not Kind.FLAKY:
        because = {
            Kind.BROKEN: "it is broken, and a quarantine would hide that",
            Kind.SUSPECT: "it is only suspected: both outcomes were not yet seen at one commit",
        }
        why = because.get(verdict.kind, f"it is not shown to be flaky: {verdict.kind.value}")
        return Refused(verdict.test, why)
    if not verdict.test.file:
        return Refused(verdict.test, "the reports do not tell its file, so that its id would not be exact")
    if _untellable(verdict.test):
        return Refused(verdict.test, "its id has characters that a list or a file's name cannot hold")
    first = datetime.fromtimestamp(at, UTC).date()
    return Entry(
        test=verdict.test,
        reason=_line(verdict.reason),
        cause="" if verdict.cause is None else verdict.cause.value,
        owner=_line(owner),
        issue=_line(issue),
        since=first.isoformat(),
        until=(first + timedelta(days=max(1, min(days, MOST_DAYS)))).isoformat(),
    )


def renewed(old: Iterable[Entry], new: Iterable[Entry]) -> tuple[Entry, ...]:
    """Both lists as one, in the order of test ids; a test that stands in both has its new entry."""
    entries = {entry.test.node_id: entry for entry in (*old, *new)}
    return tuple(entries[test] for test in sorted(entries))


def without(entries: Iterable[Entry], tests: Collection[TestId]) -> tuple[Entry, ...]:
    """The list after these tests left it: mended, or clean for long enough."""
    leaving = {test.node_id for test in tests}
    return tuple(entry for entry in entries if entry.test.node_id not in leaving)


def is_over(entry: Entry, at: float) -> bool:
    """Whether its last day has passed at `at` (seconds since the epoch); an unreadable date counts as passed."""
    last = _date(entry.until)
    return last is None or last < datetime.fromtimestamp(at, UTC).date()


# --- the list -------------------------------------------------------------------------------------------------------


def dump(quarantine: Quarantine) -> bytes:
    """The list as a file: JSON, ASCII, a line a field, so that a pull request's diff can be read."""
    tests = [
        {
            "test": entry.test.node_id,
            "reason": entry.reason,
            "cause": entry.cause,
            "owner": entry.owner,
            "issue": entry.issue,
            "since": entry.since,
            "until": entry.until,
        }
        for entry in quarantine.entries
    ]
    document = {"format": FORMAT, "loaded_by": quarantine.loaded_by, "tests": tests}
    return (json.dumps(document, indent=2) + "\n").encode("ascii")


def read(data: bytes) -> Reading:
    """A list that anybody may have edited. Its dates are left as they are: an unreadable one counts as over.

    A test named twice keeps the entry that ends first, as in the file that pytest loads.
    """
    if len(data) > _MOST_BYTES:
        return Unreadable(f"{LIST} has more than {_MOST_BYTES} bytes")
    try:
        document = an_object(parse(data, 1), "the list")
        if document.get("format") != FORMAT:
            raise MalformedError(f"format must be {FORMAT}")
        loaded_by = a_string(document.get("loaded_by", ""), "loaded_by")
        entries: dict[str, Entry] = {}
        for number, value in enumerate(a_list(take(document, "tests"), "tests"), 1):
            entry = _entry(an_object(value, f"entry {number}"), number)
            other = entries.get(entry.test.node_id)
            if other is None or _ends(entry) < _ends(other):
                entries[entry.test.node_id] = entry
    except MalformedError as error:
        return Unreadable(f"{LIST}: {error}")
    if len(entries) > MOST_TESTS:
        return Unreadable(f"{LIST} names more than {MOST_TESTS} tests")
    return Quarantine(tuple(entries.values()), loaded_by if _is_conftest(loaded_by) else "")


def _entry(value: dict[str, object], number: int) -> Entry:
    test = a_string(take(value, "test"), f"entry {number}: test")
    if not test:
        raise MalformedError(f"entry {number} has no test")

    def told(name: str) -> str:
        given = value.get(name, "")
        return _line(given) if isinstance(given, str) else ""

    return Entry(
        TestId.from_node_id(test),
        told("reason"),
        told("cause"),
        told("owner"),
        told("issue"),
        told("since"),
        told("until"),
    )


def _ends(entry: Entry) -> str:
    return "" if _date(entry.until) is None else entry.until


def _date(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _line(text: str) -> str:
    """Texts of the list end in diffs and terminals: one line of what can be seen."""
    line = " ".join(text[:_TEXT].split())
    return "".join(char if char.isprintable() else "?" for char in line)


def _untellable(test: TestId) -> bool:
    return any(0xD800 <= ord(char) <= 0xDFFF for char in test.node_id)


# --- the files of a pull request ------------------------------------------------------------------------------------


def wanted_paths(entries: Sequence[Entry], now: Quarantine, folder: str = "") -> tuple[str, ...]:
    """Paths whose present content `content_of` has to know. folder: of the suite, "" = the repository's root."""
    paths = [posixpath.join(folder, LIST), posixpath.join(folder, PLUGIN)]
    if now.loaded_by:
        paths.append(posixpath.join(folder, now.loaded_by))
    if entries:
        paths.append(posixpath.join(folder, _conftest_of(entries)))
    return tuple(dict.fromkeys(paths))


def content_of(entries: Sequence[Entry], now: Quarantine, existing: Mapping[str, bytes], folder: str = "") -> Content:
    """What to write so that the list is `entries` and is loaded. now: the list as it stands (an empty one where there
    is none or an unreadable one). existing: the present content of `wanted_paths`. Files that stay are left out.

    The lines that load the list go into the conftest.py that stands above all listed tests; where pytest would not call
    them there, nothing is changed and `by_hand` tells the option to add.
    """
    inside = {posixpath.relpath(path, folder or "."): content for path, content in existing.items()}
    files: dict[str, bytes | None] = {}
    loaded_by, by_hand = "", ""
    if entries:
        chosen = now.loaded_by if _covers(now.loaded_by, entries) and now.loaded_by in inside else _conftest_of(entries)
        placed = place(inside.get(chosen), up=chosen.count("/"))
        if isinstance(placed, Placed):
            loaded_by = chosen
            files[chosen] = placed.content
        else:
            by_hand = _BY_HAND.format(path=chosen, why=placed.why)
    if now.loaded_by and now.loaded_by != loaded_by and now.loaded_by in inside:
        files[now.loaded_by] = remove(inside[now.loaded_by])
    files[LIST] = dump(Quarantine(tuple(entries), loaded_by)) if entries else None
    files[PLUGIN] = plugin() if entries else None
    changed = {posixpath.join(folder, path): content for path, content in files.items() if inside.get(path) != content}
    return Content(changed, by_hand, loaded_by)


_BY_HAND = (
    "{path} was left as it is ({why}). For the list to take effect, pytest has to be started with "
    "`-p grokfix_quarantine` from this folder: `python -m pytest -p grokfix_quarantine`, or, where plain `pytest` is "
    "called, `PYTHONPATH=. pytest -p grokfix_quarantine`."
)


def plugin() -> bytes:
    """The file that pytest loads."""
    return (resources.files("bot.flaky.in_repository") / PLUGIN).read_bytes()


def _conftest_of(entries: Sequence[Entry]) -> str:
    """conftest.py in the deepest folder above all listed tests: it puts nothing onto the import path that the tests
    beside it would not."""
    folders = [posixpath.dirname(entry.test.file) or "." for entry in entries]
    outside = any(posixpath.isabs(folder) or folder.split("/")[0] == ".." for folder in folders)
    common = "." if outside else posixpath.commonpath(folders)
    return posixpath.normpath(posixpath.join(common, "conftest.py"))


def _covers(conftest: str, entries: Sequence[Entry]) -> bool:
    if not conftest:
        return False
    folder = posixpath.dirname(conftest)
    return all(not folder or entry.test.file.startswith(folder + "/") for entry in entries)


def _is_conftest(path: str) -> bool:
    """A relative path below the list's own folder that names a conftest.py."""
    return (
        posixpath.basename(path) == "conftest.py"
        and path == posixpath.normpath(path)
        and not path.startswith(("/", "../"))
    )
