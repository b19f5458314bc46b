"""The words in which triage is told, alike in the terminal, the issue, the summary and the page. Pure, nothing escaped:
whoever renders them makes them harmless for the place where they go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from bot.flaky.types import Cause, Counts, Interval, Proof, Trial
from bot.flaky.verdict import Kind, Verdict
from bot.toolchains.types import Conditions

KINDS: Mapping[Kind, str] = {
    Kind.FLAKY: "flaky",
    Kind.BROKEN: "broken",
    Kind.INFRASTRUCTURE: "infrastructure",
    Kind.ENVIRONMENT: "depends on the environment",
    Kind.SUSPECT: "suspect",
    Kind.UNKNOWN: "unknown",
    Kind.STABLE: "stable",
}
"""What a test is, in a word."""

NEXT: Mapping[Cause, str] = {
    Cause.VICTIM: "make the polluting test put back what it changes; the victim is right as it is",
    Cause.BRITTLE: "give the test what it needs in a fixture of its own, instead of another test's leavings",
    Cause.NOT_IDEMPOTENT: "make the test undo what it leaves behind",
    Cause.HASH_ORDER: "do not rely on the order of a set or of hashes: sort where order matters",
    Cause.RANDOMNESS: "make the code right for every value, or take the random source in as an argument",
    Cause.TIME: "take the clock in as an argument, and make the code right at the date that fails",
    Cause.ZONE: "compute in UTC, or name the zone",
    Cause.WAITING: "wait for the event itself, not for a time that a busy machine exceeds",
    Cause.CONCURRENCY: "guard the state that the threads or workers share",
    Cause.NETWORK: "serve the test from loopback, for what is outside is not always there",
    Cause.FILES: "use a temporary folder, a free port or a sorted listing of the test's own",
    Cause.PLATFORM: "compare with the tolerance that the computation has on every machine",
}
"""What to do about a cause."""

TURNS: Mapping[str, str] = {
    "often": "threads take turns every microsecond",
    "lines": "threads take turns at every line",
    "seldom": "threads take turns only where they wait",
}
"""`Conditions.thread_turns` in words."""


def counted(counts: Counts) -> str:
    """ "failed 3 of 60"."""
    return f"failed {counts.failures} of {counts.runs}"


def percent(rate: float) -> str:
    """A probability as it is read: "0.4 %", "12 %"."""
    value = 100 * rate
    if value <= 0:
        return "0 %"
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.1f} %" if value >= 0.05 else "< 0.1 %"


def interval(given: Interval) -> str:
    """ "4 to 12 %", short for a column."""
    low, high = percent(given.low).removesuffix(" %"), percent(given.high)
    return f"{low} to {high}"


def under(conditions: Conditions) -> str:
    """The conditions of a run, "" for ordinary ones: "PYTHONHASHSEED=3, TZ=Asia/Kolkata"."""
    return ", ".join(_parts(conditions))


def _parts(given: Conditions) -> Iterator[str]:
    if given.in_order:
        yield "in this order"
    if given.repeat != 1:
        yield f"{given.repeat} times in one process"
    if given.hash_seed is not None:
        yield f"PYTHONHASHSEED={given.hash_seed}"
    if given.random_seed is not None:
        yield f"random seed {given.random_seed}"
    if given.clock:
        yield f"clock at {given.clock}"
    if given.zone:
        yield f"TZ={given.zone}"
    if given.cpu_share != 1.0:
        yield f"{percent(given.cpu_share)} of the CPU"
    if given.load:
        yield f"{given.load} busy processes beside it"
    if given.one_core:
        yield "one core"
    if given.workers:
        yield f"{given.workers} workers"
    if given.thread_turns:
        yield TURNS.get(given.thread_turns, given.thread_turns)
    if given.neighbours:
        yield f"{given.neighbours} processes beside it that run other tests"
    if given.offline:
        yield "no network"
    if given.network:
        yield "with a network"
    if given.fresh_home:
        yield "new HOME and temporary folder"
    if given.open_files:
        yield f"at most {given.open_files} open files"
    if given.ports:
        yield "somebody else holds port " + ", ".join(map(str, given.ports))
    if given.directory_order:
        yield f"directories {given.directory_order}"
    if given.threads:
        yield f"{given.threads} threads for numerics"


def trial_words(trial: Trial) -> str:
    """A trial in a line: its label, what came of it, and under what."""
    told = f"{trial.label}: {counted(trial.counts)}"
    if trial.foreign:
        told += f", {trial.foreign} in another way"
    where = under(trial.conditions)
    return f"{told} ({where})" if where else told


def proof_words(proof: Proof) -> str:
    """A proof in a sentence: what provokes, and the three counts that show it."""
    counts = [trial.counts for trial in proof.trials[:3]]
    told = f"{proof.cause.value}: {proof.detail}"
    if len(counts) == 3:
        told += (
            f" (provoked {counts[0].failures} of {counts[0].runs}, without the cause {counts[1].failures} of "
            f"{counts[1].runs}, again {counts[2].failures} of {counts[2].runs})"
        )
    return told


def why(verdict: Verdict) -> str:
    """Why a test is what it is said to be: its first proof, or else the reason with what was tried in vain."""
    finding = verdict.finding
    if finding is not None and finding.proofs:
        return proof_words(finding.proofs[0])
    if finding is None or not finding.tried:
        return verdict.reason
    tried = ", ".join(each.cause.value for each in finding.tried)
    cut = f"; the experiments ended early: {finding.cut}" if finding.cut else ""
    return f"{verdict.reason}; no cause was proven (tried: {tried}{cut})"


def to_do(verdict: Verdict) -> str:
    """What to do about it, "" where there is nothing to say."""
    if verdict.kind is Kind.BROKEN:
        regression = verdict.regression
        if regression is not None and regression.first_bad:
            return f"it broke with commit {regression.first_bad[:12]}: grokfix repair"
        return "it fails every time: grokfix repair"
    return NEXT[verdict.cause] if verdict.cause is not None else ""


def minutes(value: float | None) -> str:
    """Expected minutes lost a week: "12 min a week", "" where not known."""
    if value is None:
        return ""
    return f"{value:.0f} min a week" if value >= 9.5 else f"{value:.1f} min a week"


def day(at: float | None) -> str:
    """ISO date in UTC, "" for none."""
    return "" if at is None else date.fromordinal(_EPOCH + int(at // 86_400)).isoformat()


_EPOCH = date(1970, 1, 1).toordinal()
