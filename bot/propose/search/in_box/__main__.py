"""Read a job, do it, write what came of it as JSON lines."""

from __future__ import annotations

import json
import os
import sys

from .job import Job, Results


def main() -> int:
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, sys.argv[1]), encoding="utf-8") as file:
        job = Job(json.load(file), folder)
    results = Results(os.path.join(folder, job.results))
    if job.mode == "baseline":
        from .trials import baseline

        baseline(job, results)
    elif job.mode == "validate":
        from .trials import validate

        validate(job, results)
    else:
        from .reduction import reduce

        reduce(job, results)
    results.write("end")
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())  # threads that the project left behind do not keep it alive
