"""Malformed diffs as language models write them: how many are applied rightly, and how many wrongly.

    python benchmarks/diffs.py [--each 12] [--several 60] [--seed 1] [--show] [--no-peers] [--wheels FOLDER]

True diffs (`diffs_corpus.py`) are the same on every commit: parts of what changed between two releases of known
libraries, and generated projects with much repetition, tabs, CRLF and files without a final newline. Each is damaged in
one of the ways that models do (`diffs_damages.py`), or in several at once, and put on its base by the bot's own reader
and by its peers: `git apply`, `git apply --recount`, `patch -p1` (its usual fuzz of 2), and `unidiff`, which applies
nothing: what it parses is put where the line numbers say, if the old lines stand there.

Rightly means that every file is as intended; wrongly, that something was applied and a file is not. Ambiguous is what
an aligner of its own (`diffs_oracle.py`) finds to mean several things; it is counted before the bot has its turn.
Exit status 1 where a goal is missed: of the answerable diffs 97 % rightly, of all none wrongly.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random

from diffs_corpus import Case, generated, released
from diffs_damages import ENVELOPE, GENTLE, SKETCHED, WRITTEN, damaged
from diffs_oracle import ambiguity
from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from bot.patch.apply import apply
from bot.patch.types import Refusal
from bot.ports import Overlay

GOAL_RIGHT = 0.97


RIGHT, WRONG, REFUSED = "rightly", "wrongly", "refused"


def judged(found: Overlay | None, case: Case) -> str:
    if found is None:
        return REFUSED
    return (
        RIGHT
        if all(found.get(path, case.base[path]) == text for path, text in case.wanted.items())
        and set(found) <= set(case.wanted)
        else WRONG
    )


def ours(text: str, case: Case) -> tuple[str, str]:
    result = apply(text, case.checkout)
    if isinstance(result, Refusal):
        return REFUSED, result.message
    return judged(result.overlay, case), result.patch.text


def peer(argv: Sequence[str], text: str, case: Case) -> str:
    """A command that applies in a folder with the changed files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tree"
        folder.mkdir()
        for path, content in case.base.items():
            if content is not None:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        diff = Path(name) / "fix.patch"
        diff.write_bytes(text.encode("utf-8", "surrogateescape"))
        done = subprocess.run(
            [*argv, str(diff)], cwd=folder, check=False, capture_output=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            return REFUSED
        found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        overlay = {path: found.get(path) for path in {*found, *case.wanted}}
        return judged({path: text for path, text in overlay.items() if text != case.base.get(path)}, case)


def parsed_and_placed(text: str, case: Case) -> str:
    """What unidiff parses, put where its line numbers say; refused where the old lines do not stand there."""
    try:
        read = PatchSet.from_string(text)
    except (UnidiffParseError, ValueError, IndexError):
        return REFUSED
    found: dict[str, bytes | None] = {}
    for file in read:
        old = None if file.is_added_file else file.source_file.removeprefix("a/")
        base = b"" if old is None else case.checkout.read(old)
        if base is None:
            return REFUSED
        lines = base.decode().splitlines(keepends=True)
        for hunk in reversed(file):
            start = hunk.source_start - 1 if hunk.source_length else hunk.source_start
            source = [line.value for line in hunk if not line.is_added and line.line_type != "\\"]
            if lines[start : start + len(source)] != source:
                return REFUSED
            target = [line.value for line in hunk if not line.is_removed and line.line_type != "\\"]
            lines[start : start + len(source)] = target
        found[file.path] = None if file.is_removed_file else "".join(lines).encode()
    return judged(found, case) if found else REFUSED


PEERS: Mapping[str, Callable[[str, Case], str]] = {
    "git apply": lambda text, case: peer(("git", "apply"), text, case),
    "git apply --recount": lambda text, case: peer(("git", "apply", "--recount"), text, case),
    "patch -p1": lambda text, case: peer(
        ("patch", "-p1", "--force", "--silent", "--no-backup-if-mismatch", "--input"), text, case
    ),
    "unidiff": parsed_and_placed,
}


ALL, ANSWERABLE = "all", "answerable"


def table(
    rows: Mapping[str, Mapping[str, Counter[str]]], clear: Mapping[str, Counter[str]], tools: Sequence[str]
) -> str:
    """rows: damage → tool → verdicts. clear: the bot's verdicts of the answerable ones."""
    lines = [
        f"| damage | diffs | answerable | of these rightly | ambiguous, refused | {' | '.join(tools)} |",
        f"| --- | ---: | ---: | ---: | ---: |{' ---: |' * len(tools)}",
    ]
    total: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for damage, by_tool in rows.items():
        cells = []
        for tool in tools:
            found = by_tool[tool]
            total[tool] += found
            cells.append(f"{found[RIGHT]}" + (f" (wrong {found[WRONG]})" if found[WRONG] else ""))
        mine = clear[damage]
        total[ANSWERABLE] += mine
        unclear = by_tool["grokfix"] - mine
        head = f"{by_tool['grokfix'].total()} | {mine.total()} | {mine[RIGHT]} | {unclear[REFUSED]}"
        lines.append(f"| {damage} | {head} | {' | '.join(cells)} |")
    shares = [f"**{total[tool][RIGHT] / total[tool].total():.1%}**, wrong {total[tool][WRONG]}" for tool in tools]
    mine = total[ANSWERABLE]
    unclear = total["grokfix"] - mine
    share = f"{total['grokfix'].total()} | {mine.total()} | **{mine[RIGHT] / mine.total():.1%}** | {unclear[REFUSED]}"
    lines.append(f"| **all** | {share} | {' | '.join(shares)} |")
    return "\n".join(lines)


def plan(random: Random, each: int, several: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Row of the table and the damages, over and over; the caller stops when a row is full."""
    for name in (*SKETCHED, *WRITTEN, ENVELOPE):
        for _ in range(each):
            yield name, (name,)
    for _ in range(several):
        inner = random.sample(GENTLE, random.randint(1, 2))
        yield "several at once", (*inner, random.choice(tuple(WRITTEN)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=12, help="diffs for each single damage")
    parser.add_argument("--several", type=int, default=60, help="diffs with two or three damages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print every diff that was refused or applied wrongly")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--wheels", type=Path, help="folder that keeps the libraries' wheels; default: a passing one")
    options = parser.parse_args()
    random = Random(options.seed)
    tools = ("grokfix", *(() if options.no_peers else PEERS))
    rows: dict[str, dict[str, Counter[str]]] = {}
    clear: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    if options.wheels:
        options.wheels.mkdir(parents=True, exist_ok=True)
    keep = nullcontext(options.wheels) if options.wheels else tempfile.TemporaryDirectory()
    with tempfile.TemporaryDirectory() as name, keep as wheels:
        scratch = Path(name)
        cases = [*released(scratch, random, 60, Path(wheels)), *generated(scratch, random, 36)]
        print(f"{len(cases)} true diffs, seed {options.seed}", file=sys.stderr)
        for row, names in plan(random, options.each, options.several):
            shuffled = random.sample(cases, len(cases))
            found = next(((case, *made) for case in shuffled if (made := damaged(case, names, random))), None)
            if found is None:
                continue
            case, text, sketch = found
            unclear = ambiguity(sketch, case)
            by_tool = rows.setdefault(row, {tool: Counter() for tool in tools})
            verdict, said = ours(text, case)
            by_tool["grokfix"][verdict] += 1
            if unclear is None:
                clear[row][verdict] += 1
            reasons[f"{verdict}: {unclear or 'answerable'}"] += 1
            if verdict != RIGHT and options.show:
                print(f"=== {verdict}, {unclear or 'answerable'}: {case.origin}, {', '.join(names)}", file=sys.stderr)
                print(f"{text}\n--- {said}\n", file=sys.stderr)
            for tool in tools[1:]:
                by_tool[tool][PEERS[tool](text, case)] += 1
    print(table(rows, clear, tools))
    print()
    for reason, count in sorted(reasons.items()):
        print(f"{reason}: {count}")
    mine = sum((by_tool["grokfix"] for by_tool in rows.values()), Counter[str]())
    answerable = sum(clear.values(), Counter[str]())
    return int(bool(mine[WRONG]) or answerable[RIGHT] < GOAL_RIGHT * answerable.total())


if __name__ == "__main__":
    sys.exit(main())
