"""A flaky test's repair for its reviewer: what was counted before and after, and the command that provokes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from bot.flaky.fix_proof import FlakyProof
from bot.flaky.statistics import upper_bound
from bot.flaky.types import Counts
from bot.publish.flaky_words import percent
from bot.publish.untrusted import cell, code, markdown, one_line

_MOST_TESTS = 30
"""Tests up to which a command names them: one that left some out would provoke nothing."""
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")
_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TWICE = "import sys, pytest; sys.exit(max(pytest.main(sys.argv[1:]) for _ in range({times})))"


def counted(proof: FlakyProof, width: int) -> str:
    """Markdown: one row a way of running, before the fix and after it."""
    after = proof.ordinary_after
    bound = f", so at most {percent(upper_bound(after))} of them (95 %)" if _clean(after) else ""
    lines = [
        "| Runs | Before the fix | After it |",
        "| --- | --- | --- |",
        f"| provoked: {cell(proof.detail, width)} | {_failed(proof.before)} | {_failed(proof.after)} |",
        f"| ordinary ({cell(proof.scope, 200)}) | {_failed(proof.ordinary_before)} | {_failed(after)}{bound} |",
    ]
    return "\n".join(lines)


def in_a_sentence(proof: FlakyProof) -> str:
    """The same counts for a comment; untrusted text."""
    return (
        f"Provoked ({proof.detail}): {_failed(proof.before)} before, {_failed(proof.after)} after; in ordinary runs "
        f"({proof.scope}): {_failed(proof.ordinary_before)} before, {_failed(proof.ordinary_after)} after."
    )


def _failed(counts: Counts) -> str:
    return f"failed {counts.failures:,} of {counts.runs:,}" if counts.runs else "not run"


def _clean(counts: Counts) -> bool:
    return counts.runs > 0 and not counts.failures


def provoking(proof: FlakyProof) -> str:
    """One shell command that runs the flaky test as it was provoked, "" where no plain command does that.

    Everything in it is of known shape or quoted: a result may come from a hostile hand.
    """
    named = [one_line(test.node_id, 400) for test in proof.tests]
    if len(named) > _MOST_TESTS or any(each[:1] in ("-", "@") for each in named):
        return ""
    variables = []
    if proof.hash_seed is not None:
        variables.append(f"PYTHONHASHSEED={proof.hash_seed}")
    if proof.zone:
        if _ZONE.fullmatch(proof.zone) is None:
            return ""
        variables.append(f"TZ={proof.zone}")
    if proof.threads:
        variables += [f"{name}={proof.threads}" for name in _THREADS]
    start = ["python", "-m", "pytest"]
    if proof.repeat > 1:
        start = ["python", "-c", shlex.quote(_TWICE.format(times=proof.repeat))]
    if proof.clock:
        if _CLOCK.fullmatch(proof.clock) is None:
            return ""
        start = ["faketime", shlex.quote(proof.clock.replace("T", " ")), *start]
    options = ["-p", "no:randomly", *(["-n", str(proof.workers)] if proof.workers else [])]
    command = " ".join([*variables, *start, *options, *map(shlex.quote, named)])
    return f"(ulimit -n {proof.open_files}; {command})" if proof.open_files else command


def besides(proof: FlakyProof) -> Iterator[str]:
    """Sentences on what the command needs or leaves out, for Markdown."""
    target = code(proof.tests[-1].node_id) if proof.tests else "the test"
    if proof.clock:
        yield "`faketime` is the program of that name (libfaketime)."
    if proof.workers:
        yield "`-n` is an option of pytest-xdist."
    if proof.also:
        what = "; ".join(markdown(one_line(each, 200)) for each in proof.also[:10])
        yield f"{target} was provoked under what no plain command brings about: {what}."
    elif not provoking(proof):
        yield f"How {target} was provoked is in result.json: no plain command does it."
