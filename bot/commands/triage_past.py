"""What `grokfix triage` knows besides tonight's runs: reports of earlier ones, the history store, the checkout's lists
of quarantine and owners; and what of it stands in the report."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.commands.triage_files import read_nights
from bot.errors import ConfigError
from bot.flaky.course import courses
from bot.flaky.from_reports import records_of
from bot.flaky.names import unified
from bot.flaky.quarantine import LIST, Entry, Quarantine, read
from bot.flaky.quarantine_states import follow
from bot.flaky.states import advance
from bot.flaky.store import Store
from bot.flaky.types import Finding, Night, RunRecord
from bot.flaky.verdict import Triage
from bot.ports import Clock
from bot.publish.flaky_owners import PLACES, Owners, read_owners
from bot.publish.flaky_report import Background, told_of
from bot.workspace.git import Repository

_STORES = frozenset({".db", ".sqlite"})


@dataclass(frozen=True, slots=True)
class Past:
    """What `--history` names. store: the SQLite file among them, which the session adds itself to, opened."""

    records: tuple[RunRecord, ...]
    problems: tuple[str, ...]
    store: Store | None = None

    def known(self, since: float = 0.0) -> tuple[RunRecord, ...]:
        """Those of the files, and those of the store from a time on (seconds since the epoch)."""
        return (*self.records, *(() if self.store is None else self.store.records(since)))

    def add(self, night: Night) -> tuple[Finding, ...] | None:
        """The night goes into the store; what experiments found that holds with it, None where there is no store."""
        if self.store is None:
            return None
        self.store.add(night)
        return self.store.findings()


@dataclass(frozen=True, slots=True)
class Lists:
    """What the checkout says of its tests. problems: of a list that cannot be read."""

    quarantine: tuple[Entry, ...] = ()
    owners: Owners = Owners()  # noqa: RUF009 (frozen)
    problems: tuple[str, ...] = ()


@contextmanager
def opened(names: Sequence[str], clock: Clock, retention_days: int) -> Iterator[Past]:
    """ConfigError where several stores are named; what cannot be read is a problem. A store that cannot be read is made
    anew, of the nights that are named beside it."""
    paths = [Path(name) for name in names]
    stores = [path for path in paths if path.suffix in _STORES]
    if len(stores) > 1:
        raise ConfigError(f"--history takes one history store, and {', '.join(map(str, stores))} are several")
    records, found = records_of([path for path in paths if path not in stores])
    problems = tuple(f"{problem.source}: {problem.message}" for problem in found)
    if not stores:
        yield Past(records, problems)
        return
    beside = [path for path in paths if path.is_dir() or path.suffix == ".jsonl"]
    nights = (lambda: read_nights([path for path in beside if path.exists()])[0]) if beside else None
    with Store.open(stores[0], clock, nights=nights, retention_days=retention_days) as store:
        yield Past(records, (*problems, *store.problems), store)


def lists_of(repository: Repository, folder: str) -> Lists:
    """As the tested commit has them. folder: of the suite, below the repository's root, "." = the root."""
    content = repository.file(posixpath.normpath(posixpath.join(folder, LIST)))
    owners = next((read_owners(data) for path in PLACES if (data := repository.file(path)) is not None), Owners())
    listed = Quarantine() if content is None else read(content)
    if isinstance(listed, Quarantine):
        return Lists(listed.entries, owners)
    return Lists((), owners, (f"{listed.why}: nothing is in quarantine",))


def background(triage: Triage, night: Night, past: Past, lists: Lists, redact: Callable[[str], str]) -> Background:
    """What the report tells of each test besides its verdict. Where there is a store, it has the night already, and is
    told the steps that follow from the verdicts, the dates and the quarantine's list."""
    store = past.store
    if store is not None:
        states = store.states()
        listed = {change.test: change for change in follow(lists.quarantine, states, night.at, ())}
        store.take((*listed.values(), *advance(triage, {**states, **listed}, night.at)))
    return Background(
        courses(
            unified((*past.records, *(night.records if store is None else store.records()))),
            told_of(triage, {} if store is None else store.states(), lists.quarantine),
            {} if store is None else store.steps(),
            redact,
        ),
        lists.quarantine,
        lists.owners,
    )
