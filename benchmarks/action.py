"""The action's image: its size over the base, and its cold start beside a bare container of that base.

    python benchmarks/action.py [--base python:3.13-slim] [--runs 20]

Builds the root Dockerfile. A start is `docker run --rm --network none …` from call to return. The peer is `python -c
pass` in the base image; ours are `grokfix --version`, and the entry point itself without an event: it loads all that a
run needs before it can say what is missing. Taken in turns, so that a noisy neighbour meets all; medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
GROKFIX = ("/opt/grokfix/bin/python", "-I", "-u", "/opt/grokfix/bin/grokfix")
USAGE = 2  # exit status of the entry point without an event


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"docker {arguments[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def build(base: str) -> str:
    """Id of the image, without a tag."""
    return docker("build", "--quiet", "--build-arg", f"BASE={base}", str(ROOT))


def sizes(image: str, base: str) -> None:
    whole, below = (int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (image, base))
    print(f"| image | MB |\n| --- | ---: |\n| base `{base}` | {below / 1e6:.0f} |")
    layers = docker("history", "--human=false", "--format", "{{.Size}}", image).split()
    own = [int(size) for size in layers if int(size)][:3]  # newest first; labels and the like weigh nothing
    for name, size in zip(("our code", "dependencies", "git"), own, strict=True):
        print(f"| {name} | {size / 1e6:.1f} |")
    print(f"| own layers in all | {(whole - below) / 1e6:.0f} |\n| whole | {whole / 1e6:.0f} |\n")


def start(image: str, argv: Sequence[str], expected: int = 0) -> float:
    entry = ["--entrypoint", argv[0]] if argv else []
    command = ["docker", "run", "--rm", "--network", "none", *entry, image, *argv[1:]]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != expected:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    return took


def starts(image: str, base: str, runs: int) -> None:
    cases = {
        "bare base, `python -c pass`": (base, ("python", "-c", "pass"), 0),
        "`grokfix --version`": (image, (*GROKFIX, "--version"), 0),
        "entry point, up to its first decision": (image, (), USAGE),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, case in cases.items():
            seconds = start(*case)
            if number:  # the first start reads the image from the disk
                taken[name].append(seconds)
    floor = statistics.median(next(iter(taken.values())))
    print("| start of a container | median seconds | from – to | against the bare base |\n| --- | ---: | ---: | ---: |")
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.3f} | {min(seconds):.3f} – {max(seconds):.3f} | {middle / floor:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="python:3.13-slim", help="base image of both")
    parser.add_argument("--runs", type=int, default=20, help="starts counted, of each kind")
    arguments = parser.parse_args()
    print(docker("version", "--format", "Docker {{.Server.Version}}, {{.Server.Os}}/{{.Server.Arch}}"))
    image = build(arguments.base)
    sizes(image, arguments.base)
    starts(image, arguments.base, arguments.runs)


if __name__ == "__main__":
    main()
