"""Repairs that need no model: what is known to help against a proven cause, each tried under its provocation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.diagnose.types import Diagnosis, Evidence
from bot.evidence.test_paths import is_test_path
from bot.flaky.mend import edges, in_order
from bot.flaky.mend.base import Wavering
from bot.flaky.mend.put_back import put_back
from bot.flaky.mend.set_up import set_up
from bot.flaky.mend.shared_state import Shared
from bot.flaky.types import Cause
from bot.patch.types import Refusal
from bot.ports import Bench
from bot.propose.search.diff import unified
from bot.propose.search.source import parse
from bot.propose.search.types import Candidate, Source
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from bot.verify.types import Rejected

_MOST = 60
_RISKS = {
    # What a run of the tests cannot tell, by the rule that made the change; a person has to.
    "utc": "Whoever reads these times now reads UTC where they read the machine's own zone before.",
    "utc, naive": "Whoever reads these times now reads UTC where they read the machine's own zone before.",
    "last day": "A day that the other month lacks becomes that month's last day; some calendars take the first of the "
    "month after it.",
}
_DOUBTED = frozenset({"utc", "utc, naive"})
"""Rules whose changes mean something else to users: a person must say that it is meant."""


class FlakyTemplates:
    """Implements `ports.Proposer`: candidates for the proven cause, each tried once under the provocation.

    states: what tests may leave to each other. reached: executed lines by path. read: a file's text.
    """

    name = "search"

    def __init__(
        self,
        wavering: Wavering,
        states: Sequence[Shared],
        reached: Mapping[str, frozenset[int]],
        read: Callable[[str], str | None],
    ) -> None:
        self._read = read
        self._wavering = wavering
        self._left = _candidates(wavering, states, reached, read)
        self._tried = 0

    def propose(self, _evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        test, proof = self._wavering.test, self._wavering.proof
        while self._tried < _MOST and bench.seconds_left() > 0:
            candidate = next(self._left, None)
            if candidate is None:
                break
            self._tried += 1
            before = self._read(candidate.path)
            assert before is not None
            patch = unified(candidate.path, before, candidate.apply(before))
            placed = bench.try_patch(patch)
            if isinstance(placed, Refusal):
                continue
            run = bench.run((test,), placed.overlay)
            if run.problem or run.report is None or run.report.failures():
                continue
            cause = (
                f"`{test.name}` is flaky ({proof.cause.value}): {candidate.path}:{candidate.line}: "
                f"{candidate.description}. Proven by runs: {proof.detail}."
            )
            doubt = 0.4 if candidate.rule in _DOUBTED else None
            return Proposal(
                Diagnosis(cause, confidence=doubt, risks=_RISKS.get(candidate.rule, "")),
                patch,
                None,
                self.name,
                why_no_test="the flaky test itself, under what provokes its failure, is the proof",
            )
        refused = sum(isinstance(attempt.verdict, Rejected) for attempt in attempts)
        if not self._tried:
            why = f"no change is known that repairs the cause {proof.cause.value!r} without a person or a model"
            return NoProposal(StopReason.NO_CANDIDATE, why)
        why = f"search tried {self._tried} changes known for this cause ({refused} refused)"
        return NoProposal(StopReason.NO_CANDIDATE, f"{why}; none repairs it")


def _candidates(
    wavering: Wavering,
    states: Sequence[Shared],
    reached: Mapping[str, frozenset[int]],
    read: Callable[[str], str | None],
) -> Iterator[Candidate]:
    products = sorted(path for path in reached if path.endswith(".py") and not is_test_path(path))

    def sources(paths: Sequence[str]) -> Iterator[Source]:
        for path in paths:
            text = read(path)
            source = None if text is None else parse(path, text)
            if source is not None:
                yield source

    match wavering.proof.cause:
        case Cause.HASH_ORDER:
            for source in sources(products):
                yield from in_order.of_sets(source, reached[source.path])
        case Cause.FILES:
            for source in sources(products):
                yield from in_order.of_folders(source, reached[source.path])
                yield from edges.of_new_homes(source, reached[source.path])
        case Cause.TIME:
            for source in sources(products):
                yield from edges.of_days(source, reached[source.path])
        case Cause.ZONE:
            for source in sources(products):
                yield from edges.of_zones(source, reached[source.path])
        case Cause.VICTIM | Cause.NOT_IDEMPOTENT:
            for test in wavering.polluters:
                for source in sources((test.file,)):
                    yield from put_back(source, test, states, products, read)
        case Cause.BRITTLE:
            for source in sources(products):
                yield from edges.of_new_homes(source, reached[source.path])
            for source in sources((wavering.test.file,)):
                yield from set_up(source, wavering.test, wavering.proof.setters, read)
        case _:
            return  # waiting, races, networks and chance have no change that is right wherever it applies
