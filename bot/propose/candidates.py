"""Several proposers look for one repair side by side; what they find is judged one after the other, smallest first.

So the first proposal that passes every gate is the smallest of its round that does. Budget, box and trace are shared:
the budget sets worst cases aside and recorders take events from several threads by themselves; runs in the sandbox
take turns here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

from bot.diagnose.types import Evidence
from bot.errors import ModelError
from bot.evidence.types import TestId
from bot.patch.types import Applied, Refusal
from bot.ports import Bench, Box, Cancelled, EventKind, JsonValue, Overlay, Proposer, Recorder, RunResult
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason


class Together:
    """What proposers side by side have in common: `recorder` for all of them, and an end that reaches them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._over = threading.Event()

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        """Implements Recorder. Cancelled once it is over: a stream records as it comes, so that ends it as well."""
        if self._over.is_set():
            raise Cancelled
        return self._recorder.record(kind, **data)

    def end(self) -> None:
        self._over.set()


class Candidates:
    """Implements bot.ports.Proposer. A proposer that has nothing more to offer, or whose endpoint failed, drops out.

    pool: an executor for so many workers, closed after each round. together: the recorder that the proposers were
    given. Raises the first ModelError where all dropped out and one of them by an error.
    """

    def __init__(self, proposers: Sequence[Proposer], pool: Callable[[int], Executor], together: Together) -> None:
        self.name = proposers[0].name
        self._proposers = list(proposers)
        self._pool = pool
        self._together = together
        self._waiting: deque[Proposal] = deque()
        self._endings: list[NoProposal] = []
        self._error: ModelError | None = None
        self._turns: _TakingTurns | None = None

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        """The smallest proposal of this round that was not offered yet; a new round where all were."""
        if not self._waiting:
            if self._turns is None or self._turns.bench is not bench:
                self._turns = _TakingTurns(bench)  # one for all rounds: proposers may keep it
            found = self._round(evidence, attempts, self._turns)
            self._waiting.extend(sorted(_distinct(found), key=_size))
        if self._waiting:
            return self._waiting.popleft()
        if self._endings:
            return min(self._endings, key=lambda ending: ending.reason is StopReason.BUDGET)
        assert self._error is not None
        raise self._error

    def _round(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> list[Proposal]:
        pool = self._pool(max(1, len(self._proposers)))
        try:
            running = [(each, pool.submit(each.propose, evidence, attempts, bench)) for each in self._proposers]
            return [found for each, future in running if (found := self._outcome(each, future)) is not None]
        except BaseException:
            self._together.end()  # or an interrupted run would wait for the longest of the replies
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _outcome(self, proposer: Proposer, future: Future[Proposal | NoProposal]) -> Proposal | None:
        try:
            found = future.result()
        except ModelError as error:
            self._error = self._error or error
            self._proposers.remove(proposer)
            return None
        if isinstance(found, NoProposal):
            self._endings.append(found)
            self._proposers.remove(proposer)
            return None
        return found


class _TakingTurns:
    """Implements Bench: the bench within, used by one proposer at a time."""

    def __init__(self, bench: Bench) -> None:
        self.tree: Path = bench.tree
        self.bench = bench
        self._lock = threading.Lock()

    def try_patch(self, text: str) -> Applied | Refusal:
        with self._lock:
            return self.bench.try_patch(text)

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        with self._lock:
            return self.bench.run(ids, overlay)

    def open(self, overlay: Overlay | None = None) -> Box:
        with self._lock:
            return self.bench.open(overlay)

    def seconds_left(self) -> float:
        return self.bench.seconds_left()


def _distinct(found: Sequence[Proposal]) -> list[Proposal]:
    """Without those whose patch and test another one has as well: a verdict on it is a verdict on both."""
    kept: dict[tuple[str, str], Proposal] = {}
    for each in found:
        kept.setdefault((each.patch_text.strip(), "" if each.new_test is None else each.new_test.source), each)
    return list(kept.values())


def _size(proposal: Proposal) -> int:
    """Lines that the fix adds and removes."""
    return sum(line[:1] in ("+", "-") and line[:3] not in ("+++", "---") for line in proposal.patch_text.splitlines())
