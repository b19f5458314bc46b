"""What the Docker sandbox costs, beside a bare run of the same hardened container and command in the same minute.

    python benchmarks/sandbox.py --image python:3.13-slim --rounds 15

The floor is what `docker run` does (create, start, wait, logs, remove), over the same API and with the same options. A
verification is open, put, execute, collect, close; the command is a small pytest run that writes its report.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import docker

from bot.adapters import docker_box
from bot.adapters.docker import DockerEnvironment, DockerSandbox
from bot.ports import Command, Limits, SetUp

REPORT = "--junit-xml=/grokfix-run/report.xml"
TEST = ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", REPORT)
LIMITS = Limits(memory=512 << 20)


def make_tree(root: Path) -> None:
    """A checkout of 200 modules and one test file."""
    (root / "package").mkdir()
    for number in range(200):
        (root / "package" / f"module{number}.py").write_text(f"value = {number}\n" * 40)
    (root / "test_package.py").write_text(
        "from package.module7 import value\ndef test_value():\n    assert value == 7\n"
    )


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1000, result


def bare(environment: DockerEnvironment, argv: tuple[str, ...]) -> None:
    """The floor: a container with the very options of a box that runs the command itself and is read by its log."""
    engine, shape = environment._engine, environment._shape
    container = docker_box.start(engine, shape, argv=argv)
    engine.api.wait(container)
    engine.api.logs(container)
    engine.api.remove_container(container, v=True)


def settle(environment: DockerEnvironment) -> None:
    """Wait until this run has no container: what a box leaves to the background must not fall into the next figure."""
    engine = environment._engine
    while engine.api.containers(all=True, filters={"label": f"grokfix.run={engine.run}"}):
        time.sleep(0.005)


def verify(environment: DockerEnvironment, figures: dict[str, list[float]], kind: str) -> None:
    start = time.perf_counter()
    took, box = milliseconds(lambda: environment.open({"package/module7.py": b"value = 7\n"}))
    figures.setdefault(f"open, {kind}", []).append(took)
    box.put({"plugin.py": b"pass\n"})
    execution = box.execute(Command(TEST, 60))
    assert execution.exit_code == 0, execution.output
    took, report = milliseconds(lambda: box.collect("report.xml"))
    assert report
    figures.setdefault("collect", []).append(took)
    took, _ = milliseconds(box.close)
    figures.setdefault("close", []).append(took)
    figures.setdefault(f"verification, {kind}", []).append((time.perf_counter() - start) * 1000)
    took, _ = milliseconds(lambda: settle(environment))
    figures.setdefault("removal in the background", []).append(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", default="python:3.13-slim")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = {}
    plan = SetUp(arguments.image, (("pip", "install", "-q", "pytest"),))
    with (
        tempfile.TemporaryDirectory() as folder,
        DockerSandbox.connect() as sandbox,
        closing(docker.from_env()) as client,
    ):
        tree = Path(folder)
        make_tree(tree)
        sandbox.set_up(plan, tree, LIMITS).close()  # not measured: the network's
        for _ in range(arguments.rounds):
            took, environment = milliseconds(lambda: sandbox.set_up(plan, tree, LIMITS))
            figures.setdefault("set-up, cached", []).append(took)
            with environment:
                # The bare container has no tree: its pytest collects nothing, so it does a little less than ours.
                took, _ = milliseconds(partial(bare, environment, ("true",)))
                figures.setdefault("bare run of `true` (floor)", []).append(took)
                took, _ = milliseconds(partial(bare, environment, TEST))
                figures.setdefault("bare run of pytest (floor)", []).append(took)
                with environment.open() as box:
                    took, _ = milliseconds(lambda: box.execute(Command(("true",), 60)))
                    figures.setdefault("execute `true`", []).append(took)
                settle(environment)
                verify(environment, figures, "fresh")
                environment.prepare()
                assert environment._next is not None
                environment._next.result()
                verify(environment, figures, "prepared")
        version = client.version()
    print(f"Docker {version['Version']}, {version['Os']}/{version['Arch']}, {arguments.rounds} rounds, medians")
    for name, values in sorted(figures.items()):
        print(f"{name:30} {statistics.median(values):7.0f} ms   ({min(values):.0f} to {max(values):.0f})")
    floor = statistics.median(figures["bare run of pytest (floor)"])
    for kind in ("fresh", "prepared"):
        ratio = statistics.median(figures[f"verification, {kind}"]) / floor
        print(f"verification, {kind}, against its floor: {ratio:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
