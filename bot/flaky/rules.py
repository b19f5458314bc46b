"""The rules by which `judge` names a test, each on its own; in which order they are asked stands there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from bot.flaky.claims import claims
from bot.flaky.ledger import Ledger, Mask, Run, bits, is_change
from bot.flaky.statistics import fisher_exact, lower_bound, upper_bound
from bot.flaky.types import Cause, Counts, Finding, Regression, RunSource, Tally
from bot.flaky.verdict import Kind

STREAK = 5
"""Failing runs in a row after which a test may be called broken: its rate is then above 0.54 (95 %)."""
_LIKELY = 0.05  # p-value above which a difference may be chance
_SURE = 0.01  # the same where it is looked for among all environments


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one test. number: in the ledger, None where no run had it."""

    number: int | None
    tally: Tally
    finding: Finding | None
    regression: Regression | None


@dataclass(frozen=True, slots=True)
class Word:
    """What a test is, in one sentence; introduced: the commit that brought it, "" where the rule does not know."""

    kind: Kind
    reason: str
    introduced: str = ""


class Rules:
    """Answers about the tests of one ledger. commit: the newest one."""

    def __init__(self, ledger: Ledger, commit: str) -> None:
        self._ledger, self._commit = ledger, commit
        self._claims = claims(ledger)
        self._lines: defaultdict[str, list[Run]] = defaultdict(list)  # by environment: ordinary runs outside changes
        self._commits: defaultdict[str, list[Run]] = defaultdict(list)
        self._rosters: defaultdict[str, dict[int, tuple[Mask, int]]] = defaultdict(dict)  # with how many runs had it
        self._shaken: defaultdict[str, list[Run]] = defaultdict(list)  # at the newest commit, not ordinary
        for run in sorted(ledger.runs, key=lambda run: (run.at, run.key)):
            if not run.base and run.commit == commit:
                self._shaken[run.environment].append(run)
            if not (run.base and run.complete):
                continue
            if not is_change(run.group):
                self._lines[run.environment].append(run)
            self._commits[run.commit].append(run)
            mask, count = self._rosters[run.environment].get(id(run.mask), (run.mask, 0))
            self._rosters[run.environment][id(run.mask)] = mask, count + 1
        self._at_head = [run for run in ledger.left_out if run.commit == commit]
        if any(run.commit == commit for run in ledger.runs):
            self._at_head = []  # ordinary runs tell more
        self._ordinary = {
            number for mask in {id(r.mask): r.mask for r in ledger.runs}.values() for number in bits(mask.value)
        }
        self._order: tuple[Callable[[Case], Word | None], ...] = (
            self._regression,
            self._proof,
            self._environment,
            self._broken,
            self._both_outcomes,
            self._no_network,
            self._infrastructure,
            self._fails_now,
            self._only_in_a_change,
            self._provoked,
            self._claim,
            self._unknown,
        )

    def word(self, case: Case) -> Word:
        for rule in self._order:
            word = rule(case)
            if word is not None:
                return word
        counts = case.tally.counts
        if not counts.runs:
            return Word(Kind.STABLE, "no ordinary run of it failed; none was counted")
        bound = upper_bound(counts)
        where = "" if not counts.failures else ", only where a change broke it"
        return Word(Kind.STABLE, f"failed {_of(counts)}{where}: at most {_percent(bound)}")

    def _regression(self, case: Case) -> Word | None:
        found = case.regression
        if found is None or found.p_value > _LIKELY or found.at_good.failures >= found.at_good.runs:
            return None
        told = (
            f"failed {_of(found.at_bad)} at {_short(found.bad)} and {_of(found.at_good)} at {_short(found.good)}, "
            f"run in turns (Fisher's p = {found.p_value:.2g})"
        )
        if found.at_bad.failures == found.at_bad.runs and not found.at_good.failures:
            return Word(Kind.BROKEN, told, found.first_bad)
        if 0 < found.at_bad.failures < found.at_bad.runs:
            return Word(Kind.FLAKY, told, found.first_bad)
        return None

    def _proof(self, case: Case) -> Word | None:
        if case.finding is None or not case.finding.proofs:
            return None
        proofs = [proof for proof in case.finding.proofs if proof.cause is not Cause.PLATFORM]
        proof = (proofs or case.finding.proofs)[0]
        trials = ", ".join(f"{trial.label}: {_of(trial.counts)} failed" for trial in proof.trials[:3])
        return Word(Kind.FLAKY if proofs else Kind.ENVIRONMENT, f"{proof.cause}, proven by experiment ({trials})")

    def _environment(self, case: Case) -> Word | None:
        """One outcome in each environment, and at one commit not the same one."""
        if case.number is None or not case.tally.counts.failures or case.tally.mixed:
            return None
        counts = self._by_environment(case.number)
        bad = {name: count for name, count in counts.items() if count.failures == count.runs}
        good = {name: count for name, count in counts.items() if not count.failures}
        if not bad or not good or len(bad) + len(good) < len(counts):
            return None
        failing = {run.commit for run, _ in self._ledger.failures[case.number] if run.commit and run.base}
        if not self._passed_at(case.number, failing):
            return None
        ill, well = sum(bad.values(), Counts()), sum(good.values(), Counts())
        p_value = fisher_exact(ill, well)
        if p_value > _SURE:
            return None
        return Word(
            Kind.ENVIRONMENT,
            f"failed {_of(ill)} in {_names(bad)} and {_of(well)} in {_names(good)}, at the same commits too "
            f"(Fisher's p = {p_value:.2g})",
        )

    def _broken(self, case: Case) -> Word | None:
        """Fails every time, up to the newest commit; runs in other orders and the like count too, where all failed."""
        if case.number is None or not case.tally.counts.failures:
            return None
        for environment, line in sorted(self._lines.items()):
            streak = self._streak(line, case.number)
            if not any(run.commit == self._commit for run in streak) or self._want_network(streak, case.number):
                continue
            shaken = [run for run in self._shaken[environment] if case.number in run.mask]
            if not all(run.failed >> case.number & 1 for run in shaken):
                shaken = []
            if (length := len(streak) + len(shaken)) < STREAK:
                continue
            here = self._by_environment(case.number)[environment]
            before = Counts(here.runs - len(streak), here.failures - len(streak))
            keys = {run.key for run in (*streak, *shaken)}
            ways = {f.fingerprint for run, f in self._ledger.failures[case.number] if f is not None and run.key in keys}
            told = f"failed in its last {length} runs in {environment}, since {_short(streak[-1].commit)}"
            passes = case.tally.counts.runs - case.tally.counts.failures
            if before.runs > before.failures:
                p_value = fisher_exact(before, Counts(length, length))
                if p_value > _LIKELY:
                    continue
                told += f"; before, {_of(before)} (Fisher's p = {p_value:.2g})"
            elif passes and self._passed_at(case.number, {self._commit}):
                continue  # it passes elsewhere at this commit: too few runs to tell, or environment-dependent
            else:
                told += "; it passed in other environments before" if passes else "; it was never seen passing"
            if len(ways) > 1:
                return Word(Kind.UNKNOWN, f"{told}, but in {len(ways)} different ways")
            return Word(Kind.BROKEN, told, streak[-1].commit if passes else "")
        return None

    def _both_outcomes(self, case: Case) -> Word | None:
        sources = set(case.tally.groups)
        for mixed in case.tally.mixed:
            if is_change(mixed.group) and len(sources) < 2:
                continue
            rate = f"{_of(case.tally.counts)} in all, at least {_percent(lower_bound(case.tally.counts))}"
            if mixed.passed_key == mixed.failed_key:
                return Word(Kind.FLAKY, f"failed and passed on a retry in one run ({mixed.failed_key}); {rate}")
            return Word(
                Kind.FLAKY,
                f"failed {_of(mixed.counts)} at {_short(mixed.commit)} in {mixed.environment or 'one environment'}; "
                f"{rate}",
            )
        return None

    def _no_network(self, case: Case) -> Word | None:
        """Fails in a sandbox each time, and only because there is no way out of it."""
        if case.number is None:
            return None
        for environment, line in sorted(self._lines.items()):
            streak = self._streak(line, case.number)
            message = self._want_network(streak, case.number)
            if not message:
                continue
            elsewhere = Counts(case.tally.counts.runs - len(streak), case.tally.counts.failures - len(streak))
            other = f"it failed in {_of(elsewhere)} other runs" if elsewhere.runs else "it was run nowhere else"
            return Word(
                Kind.ENVIRONMENT,
                f"failed in {len(streak)} runs in {environment} for want of a network ({message}), which says nothing "
                f"of it where there is one; {other}",
            )
        return None

    def _want_network(self, streak: list[Run], number: int) -> str:
        """What each of these failures says of a missing network, if they are our own runs; "" where one does not."""
        keys = {run.key for run in streak if run.source is RunSource.RERUN}
        said = [f for run, f in self._ledger.failures[number] if run.key in keys] if len(keys) == len(streak) else []
        messages = [f.message for f in said if f is not None and f.message]
        return messages[-1][:120] if messages and len(messages) == len(streak) else ""

    def _infrastructure(self, case: Case) -> Word | None:
        if case.number is None:
            return None
        if case.number not in self._ordinary:
            runs = [run for run in self._ledger.left_out if case.number in run.mask]
        else:
            runs = self._at_head
        failed = [run for run in runs if run.failed >> case.number & 1]
        if not failed or len(failed) < len(runs):
            return None
        return Word(
            Kind.INFRASTRUCTURE,
            f"failed in {len(failed)} runs, in each of which most tests failed ({failed[-1].key}): the place was "
            "broken, or nearly everything is",
        )

    def _fails_now(self, case: Case) -> Word | None:
        """Its newest run at the newest commit failed; that is too little for more."""
        if case.number is None:
            return None
        for environment, line in sorted(self._lines.items()):
            newest = next((run for run in reversed(line) if case.number in run.mask), None)
            if newest is None or self._want_network([newest], case.number):
                continue
            if newest.commit == self._commit and newest.failed >> case.number & 1:
                told = (
                    f"fails at {_short(self._commit)} in {environment} ({newest.key}); {_of(case.tally.counts)} in all"
                )
                return Word(Kind.SUSPECT, told)
        return None

    def _only_in_a_change(self, case: Case) -> Word | None:
        if not case.tally.mixed:
            return None
        mixed = case.tally.mixed[0]
        return Word(
            Kind.SUSPECT,
            f"failed {_of(mixed.counts)} at {_short(mixed.commit)}, but only in {mixed.group}, whose change may be why",
        )

    def _provoked(self, case: Case) -> Word | None:
        counts = case.tally.provoked
        if not counts.failures:
            return None
        ordinary = _of(case.tally.counts) if case.tally.counts.runs else "none"
        return Word(Kind.SUSPECT, f"failed {_of(counts)} when provoked (order, seeds, …), of ordinary runs {ordinary}")

    def _claim(self, case: Case) -> Word | None:
        claim = None if case.number is None else self._claims.get(case.number)
        if claim is None or not claim.holds:
            return None
        return Word(
            Kind.SUSPECT,
            f"failed in {claim.sources.failures} of {claim.sources.runs} sources (pull requests, commits of a branch), "
            "more than changes explain; never both outcomes at one commit",
        )

    def _unknown(self, case: Case) -> Word | None:
        if not case.tally.unknown or case.tally.counts.failures:
            return None
        return Word(
            Kind.UNKNOWN,
            f"{case.tally.unknown} outcomes contradict themselves (retries, duplicates) and could not be reconciled",
        )

    def _streak(self, line: list[Run], number: int) -> list[Run]:
        """The newest runs up to the last that passed, newest first."""
        streak = []
        for run in reversed(line):
            if number in run.mask:
                if not run.failed >> number & 1:
                    break
                streak.append(run)
        return streak

    def _by_environment(self, number: int) -> dict[str, Counts]:
        failures: defaultdict[str, int] = defaultdict(int)
        for run, _ in self._ledger.failures[number]:
            failures[run.environment] += run.base and run.complete
        totals = {
            environment: sum(count for mask, count in rosters.values() if number in mask)
            for environment, rosters in self._rosters.items()
        }
        return {name: Counts(runs, failures[name]) for name, runs in sorted(totals.items()) if runs}

    def _passed_at(self, number: int, commits: set[str]) -> bool:
        return any(self._ledger.passed(run, number) for commit in commits for run in self._commits.get(commit, ()))


def _of(counts: Counts) -> str:
    return f"{counts.failures} of {counts.runs}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %"


def _short(commit: str) -> str:
    return commit.partition("@")[0][:10] or "an unknown commit"


def _names(environments: dict[str, Counts]) -> str:
    names = sorted(environments)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
