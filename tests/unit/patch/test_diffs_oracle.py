"""The oracle of benchmarks/diffs.py: what it calls ambiguous is, and what says one thing it lets pass."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.workspace.from_files import File, repository_of

FOLDER = str(Path(__file__).resolve().parents[3] / "benchmarks")
NAMES = ("one", "two", "three")
SOURCE = "".join(
    f"def {name}(items):\n    value = {number}\n\n    # every one\n    for item in items:\n        value += item\n"
    "    return value\n\n\n"
    for number, name in enumerate(NAMES)
)
HEAD = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n"
LOOP = "     for item in items:\n-        value += item\n+        value -= item\n     return value\n"
FIRST = "@@ -11,1 +11,1 @@\n-    value = 1\n+    value = 5\n"
LAST = "@@ -20,1 +20,1 @@\n-    value = 2\n+    value = 5\n"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    monkeypatch.setattr(sys, "path", [FOLDER, *sys.path])
    return importlib.import_module("diffs_corpus"), importlib.import_module("diffs_oracle")


CLEAR = {
    "an exact number": (f"@@ -14,3 +14,3 @@\n{LOOP}", True),
    "the label that git writes": (f"@@ -1,3 +1,3 @@ def two(items):\n{LOOP}", False),
    "the hunks before and after": (f"{FIRST}@@ -1,3 +1,3 @@\n{LOOP}{LAST}", False),
    "a line that is there once": ("@@ -11,2 +11,3 @@\n     value = 1\n+    other = 1\n \n", False),
    "a blank line left out beside what is removed": ("@@ -1,2 +1,1 @@\n-    value = 1\n     # every one\n", False),
}
UNCLEAR = {
    "nothing picks one": (f"@@ -1,3 +1,3 @@\n{LOOP}", False, "equal places"),
    "number and label disagree": (f"@@ -5,3 +5,3 @@ def three(items):\n{LOOP}", True, "contradicts itself"),
    "an addition beside a blank line left out": (
        "@@ -10,4 +10,5 @@\n def two(items):\n     value = 1\n+    other = 1\n     # every one\n     for item in items:\n",
        False,
        "a line added beside one that was left out",
    ),
}


def reason(benchmark: tuple[Any, Any], tmp_path: Path, hunks: str, *, numbered: bool) -> str | None:
    corpus, oracle = benchmark
    text = SOURCE.encode()
    checkout = repository_of({"app.py": File(text)}, tmp_path).checkout()
    sketch = corpus.Sketch(list(corpus.sections(HEAD + _counted(hunks))), {"app.py": SOURCE}, numbered=numbered)
    case = corpus.Case("made", {"app.py": text}, {"app.py": text}, "", checkout)
    found: str | None = oracle.ambiguity(sketch, case)
    return found


def _counted(hunks: str) -> str:
    """With counts that are true: the corpus reads a diff by them."""
    done = []
    for hunk in hunks.split("@@ -")[1:]:
        head, _, body = hunk.partition("\n")
        start, section = head.partition(",")[0], head.rpartition("@@")[2]
        lines = body.splitlines()
        old, new = (sum(line[0] in marks for line in lines) for marks in (" -", " +"))
        done.append(f"@@ -{start},{old} +{start},{new} @@{section}\n{body}")
    return "".join(done)


@pytest.mark.parametrize(("hunks", "numbered"), CLEAR.values(), ids=CLEAR)
def test_what_says_one_thing_is_answerable(
    benchmark: tuple[Any, Any], tmp_path: Path, hunks: str, numbered: bool
) -> None:
    assert reason(benchmark, tmp_path, hunks, numbered=numbered) is None


@pytest.mark.parametrize(("hunks", "numbered", "words"), UNCLEAR.values(), ids=UNCLEAR)
def test_what_could_mean_several_things_is_ambiguous(
    benchmark: tuple[Any, Any], tmp_path: Path, hunks: str, numbered: bool, words: str
) -> None:
    assert words in (reason(benchmark, tmp_path, hunks, numbered=numbered) or "")
