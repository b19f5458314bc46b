"""The history of CI runs → records: day by day, newest first, each night only what is new.

A listing of runs ends at 1,000, so it is asked for day by day and halved where a day has more. What a day was read
with (ETags, attempts) is in the cursor: an unchanged day costs a request that does not count, a re-run of an old run
is found by its attempt. Times are the API's own; this machine's clock only says how long it has taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.errors import ForgeError
from bot.evidence.text import one_line
from bot.evidence.types import Problem
from bot.flaky.ci_attempts import group_of, moment
from bot.flaky.ci_run import RunReader
from bot.flaky.cursor import Cursor, Span, question
from bot.flaky.meter import Allowance, Meter, Stopped
from bot.flaky.types import RunRecord, Scan
from bot.ports import Clock, Forge, NotModified, WorkflowRun

LISTED = 1_000
"""Runs of one question that GitHub pages through, whatever their total."""
OPEN_DAYS = 32
"""Days after which a run cannot be run again (GitHub: 30), so that its day is settled."""
PER_SOURCE = 20
"""Runs of one pull request or fork that are read of a day: all of them count as one source."""
STRANGERS = 40
"""Runs of forks that are read of a day: whoever sends pull requests could else use up every night's calls."""
BROKEN = 3
"""Runs that the code host may fail to tell of before the reading ends."""
PROBLEMS = 50
"""Problems of one run that are told."""
PAGE_TESTS = 200_000
"""Results that a page holds at most, and one run's more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """days: how far back from the newest run. workflows: file names, () = all. artifacts: globs of names.

    without: names of workflows that are not CI's, such as our own.
    """

    artifacts: tuple[str, ...]
    days: int = 30
    workflows: tuple[str, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, with the cursor that has them: to be kept together. scan: up to here, complete in the last only."""

    records: tuple[RunRecord, ...]
    scan: Scan
    cursor: Cursor


def ingest(forge: Forge, wanted: Wanted, cursor: Cursor, clock: Clock) -> Iterator[Page]:
    """Read on where `cursor` ends; at least one page. Who is killed goes on with the last page that was kept.

    The last page's scan is complete where every run of the days was looked at, tonight or before; what a run had no
    longer (expired artifacts) makes it none the less so, and is told. A code host that fails or whose limit is spent,
    and an allowance that is over, end the reading: `scan.problems` says it, nothing is lost. Nothing is raised.
    """
    yield from _Reading(forge, wanted, cursor, clock).pages()


class _Reading:
    def __init__(self, forge: Forge, wanted: Wanted, cursor: Cursor, clock: Clock) -> None:
        self.forge = forge
        self.wanted = wanted
        self.of = question(forge.repository, wanted.artifacts)
        self.meter = Meter(forge, wanted.allowance, clock)
        self.reader = RunReader(forge, self.meter, wanted.artifacts)
        self.spans = {(span.workflow, span.since): span for span in cursor.spans} if cursor.of == self.of else {}
        self.pending: list[RunRecord] = []
        self.scan = Scan(0.0, 0.0, complete=False)
        self.problems: Counter[Problem] = Counter()
        self.missing = False
        self.broken = 0

    def pages(self) -> Iterator[Page]:
        try:
            yield from self.days()
            complete = not self.missing
        except Stopped as stop:
            self.problems[Problem("history", f"was not read to its end: {stop}; the next session goes on there")] += 1
            complete = False
        except ForgeError as error:
            self.problems[Problem("history", f"was not read to its end: {one_line(str(error), 400)}")] += 1
            complete = False
        yield self.page(complete)

    def page(self, complete: bool = False) -> Page:
        told = tuple(
            f"{each.source} {each.message}" + (f" ({count:,} times)" if count > 1 else "")
            for each, count in self.problems.most_common(30)
        )
        records, self.pending = tuple(self.pending), []
        spans = tuple(replace(each, attempts=dict(each.attempts)) for _, each in sorted(self.spans.items()))
        return Page(records, replace(self.scan, complete=complete, problems=told), Cursor(self.of, spans))

    def days(self) -> Iterator[Page]:
        self.meter.call()
        newest = self.forge.runs(None, limit=1)
        now = moment(newest[0].created_at) if newest else None
        if now is None:
            return
        self.meter.call()
        branch = self.forge.default_branch()
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today - timedelta(days=self.wanted.days)
        self.scan = replace(self.scan, since=first.timestamp(), until=now)
        workflows = dict.fromkeys(self.wanted.workflows or ("",))
        self.spans = {
            key: span
            for key, span in self.spans.items()
            if span.workflow in workflows and (span.until == "*" or span.until >= _iso(first))
        }
        for back in range(self.wanted.days + 1):
            begin = today - timedelta(days=back)
            end = "*" if back == 0 else _iso(begin + timedelta(days=1, seconds=-1))
            for workflow in workflows:
                for span in self.parts(workflow, _iso(begin), end):
                    if not (span.whole and back > OPEN_DAYS):
                        yield from self.span(span, branch, now)

    def parts(self, workflow: str, since: str, until: str) -> list[Span]:
        """A day as it was divided before; anew where it was not, or where what is kept has a gap."""
        kept = [
            self.spans.pop(key)
            for key in sorted(self.spans)
            if key[0] == workflow and since <= key[1] and (until == "*" or key[1] <= until)
        ]
        if kept and kept[-1].until == "*" and until != "*":  # the day that was the last one then
            kept[-1] = Span(workflow, kept[-1].since, until, attempts=kept[-1].attempts)
        if [since, *(_after(span.until) for span in kept)] != [*(span.since for span in kept), _after(until)]:
            known = {run: attempt for span in kept for run, attempt in span.attempts.items()}
            kept = [Span(workflow, since, until, attempts=known)]
        self.spans.update({(workflow, span.since): span for span in kept})
        return kept

    def span(self, span: Span, branch: str, now: float) -> Iterator[Page]:
        """Whatever is new among the runs of a span, which is halved where it has more than is listed."""
        key = (span.workflow, span.since)
        kept = list(span.etags) if span.whole else []
        attempts = dict(span.attempts)
        seen: set[int] = set()
        sources: Counter[str] = Counter()
        number, more = 0, True
        while more:
            number += 1
            etag = kept[number - 1] if number <= len(kept) else ""
            self.meter.call()
            page = self.forge.runs_page(f"{span.since}..{span.until}", workflow=span.workflow, page=number, etag=etag)
            if isinstance(page, NotModified):
                self.meter.free()
                more = number < len(kept)
                continue
            if page.total > LISTED and number == 1:
                if (halves := _halves(span, now)) is not None:
                    del self.spans[key]
                    self.spans |= {(half.workflow, half.since): half for half in halves}
                    for half in reversed(halves):
                        yield from self.span(half, branch, now)
                    return
                self.missing = True
                self.problems[
                    Problem("history", f"has more than {LISTED:,} runs in one second; the rest was left")
                ] += 1
            kept[number - 1 : number] = [""]
            # What changed is listed again by whoever goes on after a kill: until it is read, its page has no ETag.
            self.spans[key] = replace(span, etags=tuple(kept) if span.whole else (), attempts=attempts)
            for run in page.runs:
                if run.id not in seen and self.relevant(run, branch, sources):
                    seen.add(run.id)
                    attempts[run.id] = self.read(run, span.read_of(run.id), branch)
                if self.is_full():
                    yield self.page()
            kept[number - 1] = page.etag
            if not (more := page.more):
                del kept[number:]
            if self.pending:
                yield self.page()
        if not span.whole:
            attempts = {run: attempt for run, attempt in attempts.items() if run in seen}
        if span.until != "*":
            attempts = {run: attempt for run, attempt in attempts.items() if attempt != 1}
        self.spans[key] = replace(span, whole=True, etags=tuple(kept), attempts=attempts)

    def is_full(self) -> bool:
        return sum(len(record.tests) for record in self.pending) >= PAGE_TESTS

    def relevant(self, run: WorkflowRun, branch: str, sources: Counter[str]) -> bool:
        """Whether a run counts at all, and its source has not had its share of this span."""
        group = group_of(run, self.forge.repository, branch)
        if not group or run.name in self.wanted.without:
            return False
        if group == f"branch:{branch}":
            return True
        sources[group] += 1
        foreign = run.head_repository.lower() != self.forge.repository.lower()
        sources[""] += foreign
        if sources[group] <= PER_SOURCE and not (foreign and sources[""] > STRANGERS):
            return True
        self.problems[
            Problem("runs", "of one pull request, or of forks, were left out: its other runs of the day count")
        ] += 1
        return False

    def read(self, run: WorkflowRun, known: int, branch: str) -> int:
        """The attempt up to which the run has now been read."""
        if run.status != "completed" or run.attempt <= known:
            return known
        group = group_of(run, self.forge.repository, branch)
        try:
            found = self.reader.read(run, known, group)
        except ForgeError as error:
            self.broken += 1
            if error.status < 500 or self.broken > BROKEN:
                raise
            self.missing = True
            self.problems[
                Problem("runs", "could not be read, for the code host failed; the next session tries again")
            ] += 1
            return known
        self.pending += found.records
        self.problems.update(found.problems[:PROBLEMS])
        self.scan = replace(
            self.scan,
            runs=self.scan.runs + 1,
            carried_over=self.scan.carried_over + found.carried_over,
            infrastructure=self.scan.infrastructure + found.infrastructure,
        )
        return run.attempt


def _halves(span: Span, now: float) -> tuple[Span, Span] | None:
    """The earlier and the later half, with what is known of both; None where a second cannot be halved."""
    since = moment(span.since) or 0.0
    until = max(now, since) if span.until == "*" else moment(span.until) or 0.0
    if until - since < 1:
        return None
    middle = datetime.fromtimestamp(int((since + until) // 2), UTC)
    return (
        Span(span.workflow, span.since, _iso(middle), attempts=span.attempts),
        Span(span.workflow, _after(_iso(middle)), span.until, attempts=span.attempts),
    )


def _after(until: str) -> str:
    """The second after a span's end."""
    return until if until == "*" else _iso(datetime.fromisoformat(until) + timedelta(seconds=1))


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
