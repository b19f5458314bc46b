"""How a reviewer sees on a machine of their own what a pull request claims."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bot.flaky.fix_proof import FlakyProof
from bot.publish.context import try_locally
from bot.publish.flaky_proof import besides, provoking
from bot.publish.untrusted import code, fence, one_line
from bot.result import RepairResult, Result

_MOST_REPAIRS = 5
_MOST_TESTS = 10


def check_it(result: Result, branch: str) -> list[str]:
    """Blocks of Markdown; none where there is no patch. branch: where the fix was pushed, "" nowhere.

    A flaky test's failure is provoked first without the fix, then with it.
    """
    if result.patch is None:
        return []
    heading = "## Check it on your machine"
    flaky = [repair for repair in result.repairs if repair.flaky is not None][:_MOST_REPAIRS]
    base = f" on {code(result.commit[:12])}" if result.commit else ""
    if flaky:
        return [heading, *_both_ways(flaky, base, branch)]
    ids = [each.node_id for repair in result.repairs for each in (*repair.targets, *repair.new_tests)]
    if branch:
        return [heading, "In a clone of this repository:", try_locally(branch, ids)]
    command = f"git apply fix.patch && python -m pytest {_selected(ids)}"
    return [heading, f"In a clean checkout{base}:", fence(command, "sh", limit=4_000)]


def _both_ways(repairs: Sequence[RepairResult], base: str, branch: str) -> list[str]:
    proofs = [(repair, repair.flaky) for repair in repairs if repair.flaky is not None]
    runs = [provoking(proof) or _plainly(repair) for repair, proof in proofs]
    fails = [f"{run}  # fails{_unless(proof)}" for run, (_, proof) in zip(runs, proofs, strict=True)]
    passes = [f"{run}  # passes" for run in runs]
    if branch:
        fetched = f"git fetch origin {shlex.quote(branch)} && git switch --detach FETCH_HEAD~1"
        place = "In a clone of this repository, first without the fix:"
        lines = [fetched, *fails, "git switch --detach FETCH_HEAD", *passes]
    else:
        place = f"In a clean checkout{base}, first without the fix:"
        lines = [*fails, "git apply fix.patch", *passes]
    said = " ".join(dict.fromkeys(sentence for _, proof in proofs for sentence in besides(proof)))
    return [place, fence("\n".join(lines), "sh", limit=8_000), *([said] if said else [])]


def _unless(proof: FlakyProof) -> str:
    return "" if provoking(proof) and not proof.also else " under the conditions below"


def _plainly(repair: RepairResult) -> str:
    return f"python -m pytest {_selected([test.node_id for test in repair.targets])}".rstrip()


def _selected(ids: Sequence[str]) -> str:
    """Without what pytest would take for an option, by a forged name."""
    named = [each for each in ids if each[:1] not in ("-", "@")]
    return " ".join(shlex.quote(one_line(each, 400)) for each in named[:_MOST_TESTS])
