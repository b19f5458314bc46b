"""What all carried nights say together, tonight's with them: verdicts, states and weekly rates, made anew each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.commands.action_history import NIGHTLY, Known
from bot.commands.action_site import Site
from bot.evidence.types import TestId
from bot.flaky.course import Course, courses
from bot.flaky.judge import judge
from bot.flaky.merge import Merged, merge
from bot.flaky.quarantine import Entry
from bot.flaky.quarantine_proof import Healed, healed, waiting
from bot.flaky.quarantine_states import follow
from bot.flaky.states import advance
from bot.flaky.store import Store
from bot.flaky.types import Night, State, StateChange
from bot.flaky.verdict import Triage
from bot.publish.flaky_report import told_of


@dataclass(frozen=True, slots=True)
class Picture:
    """states: before `changes`, which are what this triage and today's date bring about. courses: of the tests that a
    report tells of, with `changes`. night: the session that the triage is of, without scan and changes; None where
    there has been none. healed: tests in quarantine, or just out of it, that are shown to be mended; None where tonight
    cannot tell, for something of it is missing."""

    triage: Triage
    states: Mapping[TestId, StateChange]
    changes: tuple[StateChange, ...]
    courses: Mapping[TestId, Course]
    night: Night | None
    healed: tuple[Healed, ...] | None = None

    @property
    def current(self) -> Mapping[TestId, StateChange]:
        """The states with the changes."""
        return {**self.states, **{change.test: change for change in self.changes}}

    @property
    def weeks(self) -> Mapping[TestId, tuple[tuple[str, int, int], ...]]:
        """Per test: Monday's ISO date, ordinary runs, failures; oldest first."""
        return {
            test: tuple((week.monday, week.counts.runs, week.counts.failures) for week in course.weeks)
            for test, course in self.courses.items()
        }


def draw(
    site: Site,
    known: Known,
    commit: str,
    tonight: Sequence[Night] = (),
    shards: int | None = None,
    problems: Sequence[str] = (),
    entries: Sequence[Entry] | None = None,
) -> Picture:
    """The picture as of `tonight`'s shards (of `shards`), or where there are none of the newest session carried.

    entries: the quarantine's list as it is merged, None where it cannot be read. What an experiment proved on an
    earlier night holds until the test counts as fixed or is examined again (`Store.findings`).
    """
    now = site.clock.now()
    session = _session(known, tonight, shards)
    of_session = None if session is None else session.night
    nights = known.nights if of_session is None else (*known.nights, of_session)
    with Store.open(site.scratch / "history.db", site.clock, retention_days=site.settings.triage.kept_days) as store:
        for night in nights:
            store.add(night)
        states = store.states()
        fixed = {test: change.at for test, change in states.items() if change.state is State.FIXED}
        triage = judge(
            store.records(),
            session="" if of_session is None else of_session.session,
            commit=commit if of_session is None else of_session.commit,
            environment="" if of_session is None else of_session.environment,
            at=now if of_session is None else of_session.at,
            findings=store.findings(),
            regressions=() if of_session is None else of_session.regressions,
            scan=known.scan,
            shards=() if session is None else session.shards,
            lost=() if session is None else session.lost,
            problems=(*problems, *known.problems, *(() if of_session is None else of_session.problems)),
            repaired=fixed,
        )
        proven: tuple[Healed, ...] | None = None
        if tonight and entries is not None and not triage.lost and known.scan is not None and known.scan.complete:
            found = [(night.at, finding) for night in nights for finding in night.findings]
            proven = healed(waiting(entries, states), store.records(), store.findings(), found, fixed)
        changes = () if entries is None else tuple(follow(entries, states, now, proven))
        followed = {**states, **{change.test: change for change in changes}}
        changes = (*changes, *advance(triage, followed, now))
        steps = {test: list(life) for test, life in store.steps().items()}
        for change in changes:
            steps.setdefault(change.test, []).append(change)
        current = {**states, **{change.test: change for change in changes}}
        told = courses(store.records(), told_of(triage, current, entries or ()), steps, site.redactor.redact)
    return Picture(triage, states, changes, told, of_session, proven)


def _session(known: Known, tonight: Sequence[Night], shards: int | None) -> Merged | None:
    if tonight:
        return merge(tonight, shards)
    sessions = [night for night in known.nights if night.session.startswith(NIGHTLY)]
    return merge(sessions) if sessions else None
