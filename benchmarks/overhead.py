"""What grokfix itself costs: seconds of a whole repair that are neither tests nor model, and the start of the program.

    python benchmarks/overhead.py [--sandbox docker|process] [--runs 5]

`repair` runs on the bundled demo; what is neither tests nor candidates (both are time inside commands in a box) nor
set-up of the image is overhead: checkout, boxes, localization, judging, writing the results. The peer of the start is
`python -c pass` in the same interpreter. Medians of `--runs` runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


def timed(argv: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def start(runs: int) -> None:
    floor, ours = [], []
    for _ in range(runs * 4):  # taken in turns, so that a noisy neighbour meets both
        floor.append(timed((sys.executable, "-c", "pass")))
        ours.append(timed((sys.executable, "-m", "bot", "--help")))
    low, high = statistics.median(floor), statistics.median(ours)
    print("| start of the program | median seconds |\n| --- | --- |")
    print(f"| `python -c pass` | {low:.3f} |\n| `grokfix --help` | {high:.3f} |\n| difference | {high - low:.3f} |\n")


def repair(sandbox: str, runs: int) -> None:
    rows = []
    for number in range(runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "demo"
            timed((sys.executable, "-m", "bot", "demo", "--sandbox", sandbox, "--output", str(out)))
            result = json.loads((out / "result/result.json").read_text())
            events = [json.loads(line) for line in (out / "result/trace.jsonl").read_text().splitlines()[1:]]
        assert result["outcome"] == "repaired", result["outcome"]
        finished = [event for event in events if event["kind"] == "sandbox_run" and event["phase"] == "finished"]
        tests = sum(event["seconds"] for event in finished)
        total = sum(result["seconds"].values()) - result["seconds"]["set-up"]
        if number:  # the first run may build the image
            rows.append((total, tests, total - tests, len(finished)))
    total, tests, rest, count = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"| one `repair` of the demo, sandbox {sandbox}, set-up cached | median |\n| --- | --- |")
    print(f"| seconds in all, without set-up | {total:.2f} |\n| inside tests and candidates | {tests:.2f} |")
    print(f"| neither | {rest:.2f} |\n| runs in fresh boxes | {count:.0f} |\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sandbox", choices=("docker", "process"), default="docker")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    start(options.runs)
    repair(options.sandbox, options.runs)


if __name__ == "__main__":
    main()
