"""The history on the data branch: a file a night and shard, and the cursor; many write, reading is cheap, none is lost.

Whoever may write to the repository may write there too: what does not read as a night is kept aside and said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bot.evidence.text import one_line
from bot.flaky import cursor as cursors
from bot.flaky.cursor import Cursor
from bot.flaky.nights import dump, file_name, load
from bot.flaky.types import Night
from bot.ports import Clock, Forge, TreeEntry
from bot.trigger.data_branch import BRANCH, Read, update

NIGHTS = "flaky/nights/"
ASIDE = "flaky/aside/"
CURSOR = "flaky/cursor.jsonl"
PRUNED = 20
"""Files that one write takes away at most: each is a call more."""


class Carried:
    """The data branch as it is at this moment: two calls, and one for each file that is asked for.

    problems: what could not be read, filled as it is read; give `aside` to `keep`, which puts those files away.
    """

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        head = forge.branch(BRANCH)
        tree: Mapping[str, TreeEntry] = forge.tree(head) if head is not None else {}
        self._files = {path: entry.sha for path, entry in tree.items() if path.startswith("flaky/")}
        self.problems: list[str] = []
        self.aside: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """File names of the nights, oldest first: they begin with their date, and what they hold does not change
        but by becoming more."""
        return tuple(sorted(path.removeprefix(NIGHTS) for path in self._files if path.startswith(NIGHTS)))

    def version(self, name: str) -> str:
        """What changes where a night's file does: for a store, to know which files it has already."""
        return self._files[NIGHTS + name]

    def nights(self, *, have: Collection[str] = (), since: float = 0.0) -> Iterator[Night]:
        """Nights from `since` (seconds since the epoch) on whose `version` is not in `have`, one by one."""
        for name in self.names:
            path = NIGHTS + name
            if name[:10] < _day(since) or self._files[path] in have:
                continue
            found = load(self._forge.blob(self._files[path]), name)
            if isinstance(found, Night):
                yield found
            else:
                self._refuse(path, found.why)

    def cursor(self) -> Cursor:
        """How far the history was read; from the beginning where there is none, or none that can be read."""
        if CURSOR not in self._files:
            return Cursor()
        found = cursors.load(self._forge.blob(self._files[CURSOR]))
        if isinstance(found, Cursor):
            return found
        self._refuse(CURSOR, found)
        return Cursor()

    def older(self, than: float) -> tuple[str, ...]:
        """Names of the nights before a time, oldest first: what `keep` may prune."""
        return tuple(name for name in self.names if name[:10] < _day(than))

    def _refuse(self, path: str, why: str) -> None:
        self.aside.append(path)
        shown = one_line(path, 120)
        self.problems.append(f"{shown} on {BRANCH} {one_line(why, 200)}: it does not count and is moved to {ASIDE}")


def keep(
    forge: Forge,
    clock: Clock,
    night: Night | None,
    cursor: Cursor | None = None,
    *,
    prune: Collection[str] = (),
    aside: Collection[str] = (),
) -> bool:
    """Write a night with the cursor that has its runs, as one commit; False where all is there already.

    Two nights at once are both kept, each in its file; of two cursors the last counts, which costs calls and loses
    nothing. A night of which a part is there (its session was killed and goes on) becomes the union of both.
    prune: names of nights to take away; aside: paths of files to move aside; of both together the first `PRUNED`.
    ForgeError as `data_branch.update`.
    """

    def change(read: Read) -> Mapping[str, bytes | None]:
        written: dict[str, bytes | None] = {}
        for path in [*aside, *(NIGHTS + name for name in prune)][:PRUNED]:
            content = read(path)
            if content is None:
                continue
            written[path] = None
            if path in aside:
                written[ASIDE + path.rpartition("/")[2]] = content
        if night is not None:
            path = NIGHTS + file_name(night)
            known = read(path)
            before = load(known, path) if known is not None and path not in aside else None
            written[path] = dump(_union(before, night) if isinstance(before, Night) else night)
        if cursor is not None:
            read(CURSOR)
            written[CURSOR] = cursors.dump(cursor)
        return written

    return update(forge, clock, change, "Keep a night of the tests' history")


def _union(before: Night, night: Night) -> Night:
    """The same session's night, with what it had before and does not tell any more."""
    keys = {record.key for record in night.records}
    records = tuple(record for record in before.records if record.key not in keys) + night.records
    return replace(
        night,
        records=records,
        findings=night.findings or before.findings,
        regressions=night.regressions or before.regressions,
        changes=tuple(dict.fromkeys((*before.changes, *night.changes))),
        scan=night.scan or before.scan,
        problems=tuple(dict.fromkeys((*before.problems, *night.problems))),
    )


def _day(when: float) -> str:
    return datetime.fromtimestamp(max(0.0, when), UTC).strftime("%Y-%m-%d")
