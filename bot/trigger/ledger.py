"""The ledger of attempts: who works on what, what it cost, and whether another may begin.

It lies on the data branch, and every change is a compare-and-swap there: an attempt that stands in it was taken by
exactly one run. The line is written before the attempt begins, so that crashes count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.config import Settings
from bot.errors import ForgeError
from bot.ports import Clock, Forge
from bot.trigger import data_branch
from bot.trigger.data_branch import Read
from bot.trigger.entry import Entry, State, request_kind
from bot.trigger.ledger_book import Book
from bot.trigger.limits import exceeded, exhausted
from bot.trigger.types import Claim, Fix, OwnRun, Retry, Triage, Trigger, TriggerKind

LONGEST_RUN = 6 * 3600.0
"""Seconds after which an attempt that did not end is over whatever its run says: a job may take no longer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The attempt is ours, and stands in the ledger. `claim` is as it stands there."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody works on it: `url` of the run."""

    url: str


@dataclass(frozen=True, slots=True)
class Done:
    """This very event was taken, and ended."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A limit is reached; `message` says which, in our own words."""

    message: str


class Ledger:
    """The ledger of one repository. ForgeError where the code host does not let it be read or written.

    problems: what the last reading could not make sense of, for the log. seen: the attempts that it found.
    """

    def __init__(self, forge: Forge, clock: Clock, *, jitter: Callable[[], float] = random.random) -> None:
        self._forge = forge
        self._clock = clock
        self._jitter = jitter
        self.problems: tuple[str, ...] = ()
        self.seen: tuple[Entry, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """The attempts of the last two months, oldest first. Two calls."""
        return self._book(data_branch.reader(self._forge)).entries

    def begin(
        self, claim: Claim, own: OwnRun, settings: Settings, on_taken: Callable[[], None]
    ) -> Begun | Busy | Done | Exhausted:
        """Take `claim`, unless it is taken or over a limit. The same event after a crash takes its old line again.

        A live attempt of the same kind on the same commit is in the way, whoever asked. on_taken: called once, when it
        is free and just before that is written. Four calls, one more where another attempt may still be running.
        """
        answer: Begun | Busy | Done | Exhausted | None = None
        told = False
        alive: dict[int, bool] = {}

        def change(read: Read) -> Mapping[str, bytes]:
            nonlocal answer, told
            book, now = self._book(read), self._clock.now()
            mine = book.find(claim.attempt)
            others = [entry for entry in book.entries if entry.attempt != claim.attempt]
            if mine is not None and mine.state is not State.CLAIMED:
                answer = Done(mine)
            elif (blocker := self._blocker(mine, others, claim, own, alive)) is not None:
                answer = Busy(self._url(blocker))
            elif mine is None and (message := exceeded(others, claim.trigger, settings.triggers.limits, now)):
                answer = Exhausted(message)
            else:
                spent = exhausted(others, claim.trigger, claim.attempt, settings.triggers.limits, now)
                taken = replace(_filled(claim, others), exhausted=spent)
                answer = Begun(taken)
                if not told:
                    told = True
                    on_taken()
                fresh = _fresh(taken, own, settings, now)
                line = fresh if mine is None else replace(mine, own=own, claim=taken)
                return book.written((line,)) if line != mine else {}
            return {}

        self._update(change, f"Ledger: attempt {claim.attempt} begins")
        assert answer is not None
        return answer

    def end(
        self,
        attempt: str,
        *,
        outcome: str,
        reason: str = "",
        fingerprints: Sequence[str] = (),
        minutes: float | None,
        cost_usd: float | None,
        pull_requests: Sequence[int] = (),
        also: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Write what became of an attempt; safe to repeat. False where the ledger does not know it.

        minutes, cost_usd: what it spent, None where nobody could say: then what it was allowed stands. also: files of
        the data branch that go into the same commit (traces), written either way. Four calls.
        """
        known = False

        def change(read: Read) -> Mapping[str, bytes]:
            nonlocal known
            book = self._book(read)
            entry = book.find(attempt)
            known = entry is not None
            if entry is None:
                return also or {}
            state = State.DECLINED if reason == "declined" else State.ENDED
            ended = replace(
                entry,
                state=entry.state if entry.state is State.STOPPED else state,
                ended=self._clock.now() if entry.ended is None else entry.ended,
                outcome=outcome,
                reason=reason,
                fingerprints=tuple(dict.fromkeys(fingerprints)),
                minutes=entry.minutes if minutes is None else minutes,
                cost_usd=entry.cost_usd if cost_usd is None else cost_usd,
                pull_requests=tuple(dict.fromkeys(pull_requests)),
            )
            return {**(also or {}), **book.written((ended,))}

        self._update(change, f"Ledger: attempt {attempt} ends")
        return known

    def stop(self, attempts: Sequence[str]) -> None:
        """Mark attempts as stopped by a person; those that ended meanwhile stay as they are. Safe to repeat."""

        def change(read: Read) -> Mapping[str, bytes]:
            book, now = self._book(read), self._clock.now()
            found = [entry for entry in book.entries if entry.attempt in attempts and entry.state is State.CLAIMED]
            return book.written(
                tuple(replace(entry, state=State.STOPPED, ended=now, outcome="stopped") for entry in found)
            )

        self._update(change, "Ledger: stopped by a command")

    def stopped(self, attempt: str) -> bool:
        """Whether a person has stopped it. Two calls, of which `end` need not repeat the second."""
        return any(entry.attempt == attempt and entry.state is State.STOPPED for entry in self.entries())

    def running(self, pull_request: int) -> tuple[Entry, ...]:
        """Attempts for a pull request that did not end and may be running."""
        return tuple(
            entry
            for entry in self.entries()
            if entry.state is State.CLAIMED and entry.trigger.pull_request == pull_request and not self._expired(entry)
        )

    def abandoned(self, entries: Sequence[Entry], own: OwnRun, most: int = 5) -> tuple[Entry, ...]:
        """Those of `entries` whose run is over and that nobody ended: what they found may lie in its artifacts (their
        `own.id`).

        Oldest first. One call for each that is looked at, at most `most`, and none for those of `own`.
        """
        claimed = [entry for entry in entries if entry.state is State.CLAIMED and entry.own.id != own.id]
        return tuple(entry for entry in claimed[-most:] if not self._lives(entry, {}))

    def _blocker(
        self, mine: Entry | None, others: Sequence[Entry], claim: Claim, own: OwnRun, alive: dict[int, bool]
    ) -> Entry | None:
        if mine is not None:
            # A step runs once in each job of a matrix; any other event has one run, which a person may run again.
            sibling = claim.trigger.kind is TriggerKind.STEP and mine.own.job != own.job
            if mine.own.id == own.id and sibling and not self._expired(mine):
                return mine
            if mine.own.id != own.id and self._lives(mine, alive):
                return mine
        for entry in others:
            same = entry.trigger.sha == claim.trigger.sha and request_kind(entry.trigger) == request_kind(claim.trigger)
            # Another attempt of our own run is an earlier try of it, which is over.
            if same and entry.state is State.CLAIMED and entry.own.id != own.id and self._lives(entry, alive):
                return entry
        return None

    def _lives(self, entry: Entry, alive: dict[int, bool]) -> bool:
        """Whether its run goes on, as far as anybody can tell: what the code host does not say counts as running."""
        if self._expired(entry):
            return False
        if entry.own.id not in alive:
            try:
                run = self._forge.run(entry.own.id)
            except ForgeError:
                run = None
            alive[entry.own.id] = run is None or run.status != "completed"
        return alive[entry.own.id]

    def _expired(self, entry: Entry) -> bool:
        return entry.begun < self._clock.now() - LONGEST_RUN

    def _url(self, entry: Entry) -> str:
        """Made from the run's number: the line's own link lies where others can write."""
        return f"{self._forge.server_url}/{self._forge.repository}/actions/runs/{entry.own.id}"

    def _book(self, read: Read) -> Book:
        book = Book(read, self._clock.now())
        self.problems, self.seen = book.problems, book.entries
        return book

    def _update(self, change: data_branch.Change, message: str) -> bool:
        return data_branch.update(self._forge, self._clock, change, message, jitter=self._jitter)


def _fresh(claim: Claim, own: OwnRun, settings: Settings, now: float) -> Entry:
    command = claim.trigger.command
    minutes, cost = settings.limits.minutes, settings.limits.cost_usd
    if isinstance(command, Triage):
        spent = settings.triage.minutes * command.shards
        # Without a repair no model is asked.
        minutes, cost = (spent + minutes, cost) if command.mend else (spent, 0.0)
    return Entry(
        attempt=claim.attempt,
        state=State.CLAIMED,
        begun=now,
        ended=None,
        outcome="",
        reason="",
        fingerprints=(),
        minutes=minutes,
        cost_usd=cost,
        pull_requests=(),
        own=own,
        claim=claim,
    )


def _filled(claim: Claim, entries: Sequence[Entry]) -> Claim:
    """`/grok retry` with what it tries again: the last fix of the pull request, or the plain one."""
    if not isinstance(claim.trigger.command, Retry):
        return claim
    fixes = (
        _fix_of(entry.trigger)
        for entry in reversed(entries)
        if entry.trigger.pull_request is not None and entry.trigger.pull_request == claim.trigger.pull_request
    )
    last = next((fix for fix in fixes if fix is not None), Fix())
    return replace(claim, trigger=replace(claim.trigger, command=Retry(last)))


def _fix_of(trigger: Trigger) -> Fix | None:
    match trigger.command:
        case Fix():
            return trigger.command
        case Retry(fix):
            return fix
        case None:
            return Fix()
    return None
