"""Read a job, do it, write what came of it as JSON lines."""

from __future__ import annotations

import importlib
import json
import os
import sys

from . import characterise, reduction, trials
from .job import Job, Results

CONTROL = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODES = {
    "baseline": trials.baseline,
    "validate": trials.validate,
    "reduce": reduction.reduce,
    "characterise": characterise.characterise,
}


def main(name: str) -> int:
    with open(os.path.join(CONTROL, name), encoding="utf-8") as file:
        job = Job(json.load(file))
    results = Results(os.path.join(CONTROL, job.results))
    import_as_the_runner()
    MODES[job.mode](job, results)
    results.write("end")
    return 0


def import_as_the_runner() -> None:
    """Imports resolve as in the toolchain's own runs, by its own rule; ours are done before that."""
    run = importlib.import_module("grokfix_in_box.settings").load()
    roots = importlib.import_module("grokfix_in_box.roots")
    importlib.import_module("grokfix_in_box.unittest_run")
    sys.path[0] = os.getcwd()
    roots.prefer(run.workspace, run.import_roots)
