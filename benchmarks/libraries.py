"""The main job on real libraries: an sdist from the package index, one bug put into it, `grokfix repair` on the whole.

    python benchmarks/libraries.py [--sandbox docker|process] [NAME …]

The floor printed beside each is one plain run of the library's own suite on this machine's interpreter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bug:
    """`right` stands once in the file and becomes `wrong`."""

    package: str
    version: str
    path: str
    right: str
    wrong: str


BUGS = (
    Bug("inflection", "0.5.1", "inflection/__init__.py", "number % 100 in (11, 12, 13)", "number % 10 in (11, 12, 13)"),
    Bug(
        "boltons",
        "26.2.0",
        "boltons/iterutils.py",
        "if i + chunk_size >= input_stop:",
        "if i + chunk_size > input_stop:",
    ),
    Bug("boltons", "26.2.0", "boltons/mathutils.py", "return options[i]", "return options[i - 1]"),
    Bug(
        "more-itertools",
        "10.5.0",
        "more_itertools/more.py",
        "islice(filler, step - 1, None, step)",
        "islice(filler, step, None, step)",
    ),
)


def run(argv: Sequence[str | Path], folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in argv], cwd=folder, check=check, capture_output=True, text=True)


def prepare(bug: Bug, folder: Path) -> Path:
    """A repository with the library's sources and the bug in them."""
    wanted = f"{bug.package}=={bug.version}"
    run((sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", wanted), folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    root = next(path for path in folder.iterdir() if path.is_dir())
    source = root / bug.path
    text = source.read_text(encoding="utf-8")
    assert bug.right in text, f"{bug.path} of {wanted} does not hold {bug.right!r}"
    source.write_text(text.replace(bug.right, bug.wrong, 1), encoding="utf-8")
    author = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    run(("git", "init", "--quiet"), root)
    run(("git", "add", "--all", "--force"), root)
    run(("git", *author, "commit", "--quiet", "--message=with a bug"), root)
    return root


def measure(bug: Bug, sandbox: str, image: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        root = prepare(bug, Path(name))
        began = time.perf_counter()
        run((sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"), root, check=False)
        plain = time.perf_counter() - began
        run(("git", "clean", "-fdxq"), root)
        out, config = Path(name) / "out", Path(name) / "grokfix.yml"
        config.write_text(f"version: 1\nsuites:\n  - image: {image}\n")
        began = time.perf_counter()
        where = ("--sandbox", sandbox, "--config", config, "--output", out)
        run((sys.executable, "-m", "bot", "repair", root, *where), Path.cwd(), check=False)
        seconds = time.perf_counter() - began
        result = json.loads((out / "result.json").read_text())
        repairs = result["repairs"]
        patch = result["patch"] or ""
        same = bug.right.replace(" ", "") in "".join(
            line[1:].replace(" ", "") for line in patch.splitlines() if line.startswith("+")
        )
        tests = repairs[0]["before"]["tests"] if repairs and repairs[0].get("before") else 0
        attempts = sum(len(each["attempts"]) for each in repairs)
        back = "yes" if same else "no"
        if result["outcome"] == "stopped":
            print(result["message"], file=sys.stderr)
        return (
            f"| {bug.package} {bug.version} | `{bug.wrong}` | {tests} | {result['outcome']} | {back} | {attempts} "
            f"| {seconds:.0f} | {plain:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="packages; default: all")
    parser.add_argument("--sandbox", choices=("docker", "process"), default="docker")
    parser.add_argument(
        "--image", default="python:3.13-slim", help="base image, whatever the library's classifiers say"
    )
    options = parser.parse_args()
    print("| library | bug | tests | outcome | original line back | attempts | seconds | one plain run |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for bug in BUGS:
        if not options.names or bug.package in options.names:
            print(measure(bug, options.sandbox, options.image), flush=True)


if __name__ == "__main__":
    main()
