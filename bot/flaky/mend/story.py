"""What the experiments showed, in words for whoever shall repair it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.evidence.text import one_line
from bot.flaky.mend.base import Wavering
from bot.flaky.mend.shared_state import Shared

_MOST = 10


def story(wavering: Wavering, states: Sequence[Shared]) -> str:
    """The proof with its counts, the tests in it, and the state that they may share."""
    proof = wavering.proof
    lines = [
        f"Test: {wavering.test.node_id}",
        f"Cause proven: {proof.cause.value}: {one_line(proof.detail, 500)}",
        *(
            f"Trial, {one_line(trial.label, 200)}: failed {trial.counts.failures} of {trial.counts.runs}"
            for trial in proof.trials[:_MOST]
        ),
        f"In ordinary runs: failed {wavering.ordinary.failures} of {wavering.ordinary.runs}",
        *(f"Polluter, run before it in this order: {test.node_id}" for test in wavering.polluters[:_MOST]),
        *(f"It passes only after: {test.node_id}" for test in proof.setters[:_MOST]),
    ]
    for state in states[:_MOST]:
        where = f"; changed in lines {', '.join(map(str, state.writers[:_MOST]))}" if state.writers else ""
        lines.append(f"Module-level state in reach: {state.path}:{state.line} {state.name}{where}")
    return "\n".join(lines)
