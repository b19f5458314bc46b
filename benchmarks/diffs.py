"""Malformed diffs as language models write them: how many are applied rightly, and how many wrongly.

    python benchmarks/diffs.py [--each 12] [--several 60] [--seed 1] [--show]

Real diffs come from two places: this repository's own history (where there is a clone), and generated projects with
much repetition, tabs, CRLF and files without a final newline. Each is damaged in one of the ways that models do, or in
several at once, and put on its base by the bot's own reader and by its peers: `git apply`, `git apply --recount`,
`patch -p1` (fuzz 2); of `unidiff`, which applies nothing, it is counted which it parses into as many changed lines.
Rightly means that every file is as intended; wrongly, that something was applied and a file is not. Exit status 1 where
a goal is missed: 97 % rightly, none wrongly.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from bot.patch.apply import apply
from bot.patch.types import Refusal
from bot.ports import Overlay
from bot.workspace.checkout import Checkout
from bot.workspace.from_files import File, repository_of
from bot.workspace.git import Repository

ROOT = Path(__file__).resolve().parent.parent
GOAL_RIGHT = 0.97
MOST_CHANGED = 120
HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")


@dataclass
class Hunk:
    start: int
    old: int
    new_start: int
    new: int
    section: str
    lines: list[str]


@dataclass
class FileDiff:
    old: str | None
    new: str | None
    hunks: list[Hunk]

    @property
    def path(self) -> str:
        return self.new or self.old or ""


@dataclass
class Sketch:
    """A diff on its way to being text: what the damages work on."""

    files: list[FileDiff]
    base: Mapping[str, str]
    prefixes: tuple[str, str] = ("a/", "b/")
    folder: str = ""
    git: bool = True
    half: str = ""
    header: Callable[[Hunk], str] = field(
        default=lambda hunk: f"@@ -{hunk.start},{hunk.old} +{hunk.new_start},{hunk.new} @@ {hunk.section}".rstrip()
    )

    def edited(self) -> list[FileDiff]:
        """Sections of files that exist on both sides."""
        return [file for file in self.files if file.old and file.new]

    def hunks(self) -> list[Hunk]:
        return [hunk for file in self.edited() for hunk in file.hunks]

    def text(self) -> str:
        lines: list[str] = []
        for file in self.files:
            old = self._name(file.old, self.prefixes[0])
            new = self._name(file.new, self.prefixes[1])
            if self.git:
                lines.append(f"diff --git {self._name(file.path, 'a/')} {self._name(file.path, 'b/')}")
                lines += ["new file mode 100644"] if file.old is None else []
                lines += ["deleted file mode 100644"] if file.new is None else []
                lines.append("index 1a2b3c4..5d6e7f8" + (" 100644" if file.old and file.new else ""))
            lines += [f"--- {old}"] if self.half != "+++" else []
            lines += [f"+++ {new}"] if self.half != "---" else []
            for hunk in file.hunks:
                lines += [self.header(hunk), *hunk.lines]
        return "\n".join(lines) + "\n"

    def _name(self, path: str | None, prefix: str) -> str:
        return "/dev/null" if path is None else f"{prefix}{self.folder}{path}"


@dataclass(frozen=True)
class Case:
    """One real change: `base` and `wanted` hold the changed files only; `diff` is the true diff with LF ends."""

    origin: str
    base: Mapping[str, bytes | None]
    wanted: Mapping[str, bytes | None]
    diff: str
    checkout: Checkout

    def sketch(self) -> Sketch:
        base = {path: text.decode().replace("\r\n", "\n") for path, text in self.base.items() if text is not None}
        return Sketch(list(sections(self.diff)), base)


def sections(text: str) -> Iterator[FileDiff]:
    """Read a diff in git's own form."""
    current: FileDiff | None = None
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position]
        if line.startswith("--- ") and lines[position + 1].startswith("+++ "):
            names = [lines[position][4:].split("\t")[0], lines[position + 1][4:].split("\t")[0]]
            old, new = (None if name == "/dev/null" else name[2:] for name in names)
            current = FileDiff(old, new, [])
            position += 2
            continue
        match = HEADER.match(line)
        if match and current is not None:
            old_count, new_count = int(match[2] or 1), int(match[4] or 1)
            hunk = Hunk(int(match[1]), old_count, int(match[3]), new_count, match[5], [])
            position += 1
            while old_count > 0 or new_count > 0 or (position < len(lines) and lines[position].startswith("\\")):
                hunk.lines.append(lines[position])
                old_count -= lines[position][:1] in (" ", "-")
                new_count -= lines[position][:1] in (" ", "+")
                position += 1
            current.hunks.append(hunk)
            continue
        if line.startswith("diff --git ") and current is not None and current.hunks:
            yield current
            current = None
        position += 1
    if current is not None and current.hunks:
        yield current


# --- where true diffs come from ---------------------------------------------------------------------------------------


def git(*arguments: str, folder: Path = ROOT) -> bytes:
    return subprocess.run(("git", *arguments), cwd=folder, check=True, capture_output=True).stdout


def history(scratch: Path, random: Random, count: int) -> Iterator[Case]:
    """Changes of this repository's own commits: a few files, not too long, UTF-8."""
    if not (ROOT / ".git").exists():
        print("not a clone: the history gives no cases, the generated projects give all of them", file=sys.stderr)
        return
    commits = git("log", "--no-merges", "--first-parent", "--format=%H %P").decode().split("\n")
    pairs = [line.split() for line in commits if len(line.split()) == 2]
    random.shuffle(pairs)
    made = 0
    repository = Repository.open(ROOT, scratch)
    for commit, parent in pairs:
        numbers = git("diff", "--numstat", "--no-renames", parent, commit).decode().splitlines()
        names = [line.split("\t") for line in numbers]
        usable = all(a != "-" for a, _, _ in names) and 1 <= len(names) <= 4
        if not usable or not 2 <= sum(int(a) + int(d) for a, d, _ in names) <= MOST_CHANGED:
            continue
        diff = git("diff", "--no-renames", "--no-ext-diff", parent, commit).decode("utf-8", "surrogateescape")
        if "old mode" in diff or "mode 100755" in diff or "\udc80" in diff or "\r" in diff:
            continue
        base = {path: show(parent, path) for _, _, path in names}
        wanted = {path: show(commit, path) for _, _, path in names}
        yield Case(commit[:10], base, wanted, diff, repository.checkout(parent))
        made += 1
        if made == count:
            return


def show(commit: str, path: str) -> bytes | None:
    found = subprocess.run(("git", "show", f"{commit}:{path}"), cwd=ROOT, check=False, capture_output=True)
    return found.stdout if found.returncode == 0 else None


def generated(scratch: Path, random: Random, count: int) -> Iterator[Case]:
    """Small projects whose functions look much alike, each with a change of one to three places."""
    for number in range(count):
        newline = "\r\n" if number % 6 == 4 else "\n"
        indent = "\t" if number % 6 == 2 else "    "
        path = random.choice(("app/orders.py", "src/shop/cart.py", "lib/rates.py", "tool.py"))
        lines = source(random, indent)
        changed = edited(lines, random, indent)
        ending = "" if number % 6 == 3 else "\n"
        before, after = "\n".join(lines) + ending, "\n".join(changed) + ending
        base = {path: before.replace("\n", newline).encode()}
        wanted: dict[str, bytes | None] = {path: after.replace("\n", newline).encode()}
        new_test = {}
        if number % 4 == 1:
            new_test = {"tests/test_new.py": "from app import f\n\n\ndef test_f():\n    assert f(1) == 2\n"}
        files = {name: File(text) for name, text in base.items()}
        files |= {name: File(b"# kept\n") for name in ("README.md", "tests/test_old.py", "docs/orders.py")}
        folder = scratch / f"generated-{number}"
        folder.mkdir()
        checkout = repository_of(files, folder).checkout()
        wanted |= {name: text.encode() for name, text in new_test.items()}
        diff = true_diff({path: before}, {path: after}) + true_diff(dict.fromkeys(new_test, ""), new_test)
        if diff:
            yield Case(f"generated {number}", {**base, **dict.fromkeys(new_test)}, wanted, diff, checkout)


def true_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    text = ""
    for path, old in before.items():
        before_lines, after_lines = old.splitlines(keepends=True), after[path].splitlines(keepends=True)
        names = (f"a/{path}" if old else "/dev/null", f"b/{path}")
        body = labelled(difflib.unified_diff(before_lines, after_lines, *names), before_lines)
        marked = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in body)
        text += f"diff --git a/{path} b/{path}\n{marked}" if marked else ""
    return text


def labelled(body: Iterator[str], lines: Sequence[str]) -> Iterator[str]:
    """With the name of the function behind each hunk header, as git writes it."""
    for line in body:
        match = HEADER.match(line)
        if match is None:
            yield line
            continue
        above = (text for text in reversed(lines[: max(0, int(match[1]) - 1)]) if text[:1].isalpha())
        yield f"{line.rstrip()} {next(above, '').rstrip()}".rstrip() + "\n"


def source(random: Random, indent: str) -> list[str]:
    """Functions that share most of their lines."""
    lines = ["import math", "from typing import Any", "", "LIMIT = 10", ""]
    for name in random.sample(("price", "weight", "volume", "rate", "total", "count", "share", "level"), 6):
        extra = random.choice(
            ("value += 1", "value *= 2", "value = math.floor(value)", f"value -= {random.randrange(9)}")
        )
        lines += [
            "",
            f"def {name}(items, factor={random.randrange(1, 4)}):",
            f'{indent}"""The {name} of all items."""',
            f"{indent}value = 0",
            f"{indent}for item in items:",
            f"{indent * 2}if item is None:",
            f"{indent * 3}continue",
            f"{indent * 2}value += item.{name}",
            "",
            f"{indent}# rounding",
            f"{indent}{extra}",
            f"{indent}if value > LIMIT:",
            f"{indent * 2}value = LIMIT",
            f"{indent}return value * factor",
            "",
        ]
    return lines


def edited(lines: Sequence[str], random: Random, indent: str) -> list[str]:
    """The same lines with one to three places changed, as a repair would."""
    result = list(lines)
    for _ in range(random.randint(1, 3)):
        index = random.choice([i for i, line in enumerate(result) if line.strip() and not line.startswith("import")])
        line = result[index]
        blanks = line[: len(line) - len(line.lstrip())]
        kind = random.randrange(4)
        if kind == 0 and ">" in line:
            result[index] = line.replace(">", ">=")
        elif kind == 1 and blanks and not line.strip().endswith(":"):
            result.insert(index + 1, f"{blanks}value = abs(value)")
        elif kind == 2 and blanks and not line.strip().endswith(":"):
            result[index : index + 1] = [f"{blanks}if items:", f"{blanks}{indent}{line.strip()}"]
        elif line.strip() in ("continue", "value = 0") or "value" in line:
            result[index] = line.replace("value", "amount").replace("continue", "break")
        else:
            result.insert(index, f"{blanks}# checked")
    return result


# --- damages ----------------------------------------------------------------------------------------------------------

Damage = Callable[[Sketch, Random], bool]
"""Changes a sketch; False where there was nothing to do that damage to."""


def counts(sketch: Sketch, random: Random) -> bool:
    for hunk in (hunk for file in sketch.files for hunk in file.hunks):
        hunk.old = max(0, hunk.old + random.choice((-3, -2, -1, 1, 2, 5)))
        hunk.new = max(0, hunk.new + random.choice((-3, -1, 1, 2, 4)))
    return True


def numbers(sketch: Sketch, random: Random) -> bool:
    for hunk in sketch.hunks():
        hunk.start = max(1, hunk.start + random.choice((-40, -17, -9, -4, -2, 2, 3, 8, 15, 33, 60)))
        hunk.new_start = hunk.start
    return bool(sketch.hunks())


def no_numbers(sketch: Sketch, random: Random) -> bool:
    form = random.choice(("@@ @@ {}", "@@ ... @@ {}", "@@ {}", "@@ -,+ @@ {}"))
    sketch.header = lambda hunk: form.format(hunk.section).rstrip()
    return True


def missing_context(sketch: Sketch, random: Random) -> bool:
    """Outer context is left out, the header stays as it was."""
    done = False
    for hunk in sketch.hunks():
        for end in (0, -1):
            for _ in range(random.randint(0, 2)):
                if sum(line.startswith(" ") for line in hunk.lines) > 2 and hunk.lines[end].startswith(" "):
                    hunk.lines.pop(end)
                    done = True
    return done


def extra_context(sketch: Sketch, random: Random) -> bool:
    """More true context than the header promises, before or behind."""
    done = False
    for file in sketch.edited():
        lines = sketch.base[file.path].split("\n")
        for number, hunk in enumerate(file.hunks):
            if any(line.startswith("\\") for line in hunk.lines):
                continue
            above = file.hunks[number - 1] if number else None
            free = hunk.start - 1 - (above.start + above.old if above else 0)
            for _ in range(min(random.randint(1, 3), free)):
                hunk.lines.insert(0, f" {lines[hunk.start - 2]}")
                hunk.start, hunk.old, done = hunk.start - 1, hunk.old + 1, True
            hunk.start += random.choice((0, 2))
    return done


def invented_context(sketch: Sketch, random: Random) -> bool:
    """An outer line of context that is not in the file, or not in that wording."""
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        if sum(line.startswith(" ") and len(line) > 4 for line in hunk.lines) > 2:
            end = random.choice((0, len(hunk.lines)))
            hunk.lines.insert(end, random.choice((" # here it is changed", " # (see above)", "     # unchanged")))
            return True
    return False


def blank_line_skipped(sketch: Sketch, random: Random) -> bool:
    """A blank line in the middle of the context is forgotten."""
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        inner = [i for i in range(1, len(hunk.lines) - 1) if hunk.lines[i] == " "]
        if inner:
            hunk.lines.pop(random.choice(inner))
            return True
    return False


def comment_skipped(sketch: Sketch, random: Random) -> bool:
    """A comment within the context is forgotten or reworded."""
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        inner = [i for i in range(1, len(hunk.lines) - 1) if re.match(r" \s*# ", hunk.lines[i])]
        if inner:
            index = random.choice(inner)
            if random.random() < 0.5:
                hunk.lines.pop(index)
            else:
                hunk.lines[index] += " (unchanged)"
            return True
    return False


def dedented(sketch: Sketch, _random: Random) -> bool:
    """Every line lost what all had in common, or the sketch gains a level."""
    done = False
    for hunk in sketch.hunks():
        solid = [line[1:] for line in hunk.lines if line[1:].strip() and not line.startswith("\\")]
        common = min((len(line) - len(line.lstrip(" \t")) for line in solid), default=0)
        if common:
            hunk.lines = [line if line.startswith("\\") else line[0] + line[1 + common :] for line in hunk.lines]
        else:
            hunk.lines = [
                line if line.startswith("\\") or not line[1:].strip() else f"{line[0]}    {line[1:]}"
                for line in hunk.lines
            ]
        done = True
    return done


def tabs(sketch: Sketch, _random: Random) -> bool:
    """Four blanks become a tab, or a tab four blanks, in all lines."""
    done = False
    for hunk in sketch.hunks():
        for index, line in enumerate(hunk.lines):
            body = line[1:]
            blanks = body[: len(body) - len(body.lstrip(" \t"))]
            other = blanks.replace("\t", "    ") if "\t" in blanks else blanks.replace("    ", "\t")
            done |= other != blanks
            hunk.lines[index] = line[:1] + other + body[len(blanks) :]
    return done


def leading_blank_lost(sketch: Sketch, random: Random) -> bool:
    """Context without the blank that marks it, in all lines or in some."""
    share = random.choice((1.0, 0.5))
    done = False
    for hunk in sketch.hunks():
        for index, line in enumerate(hunk.lines):
            if line.startswith(" ") and random.random() < share and line[1:2] not in ("+", "-", "\\", "@"):
                hunk.lines[index] = line[1:]
                done = True
    return done


def stripped(sketch: Sketch, _random: Random) -> bool:
    """White space at the end of lines is gone, so that blank context is an empty line."""
    done = False
    for file in sketch.files:
        for hunk in file.hunks:
            plain = [line.rstrip() if line[:1] == " " else line for line in hunk.lines]
            done |= plain != hunk.lines
            hunk.lines = plain
    return done


def trailing_added(sketch: Sketch, random: Random) -> bool:
    for hunk in sketch.hunks():
        hunk.lines = [line + random.choice(("", " ", "  ")) if line[:1] in " -" else line for line in hunk.lines]
    return bool(sketch.hunks())


def elided(sketch: Sketch, random: Random) -> bool:
    """Two hunks as one, with dots for what lies between; or dots in a hunk's long context."""
    dots = random.choice((" ...", "     # ...", "...", " # ... existing code ...", "     ..."))
    for file in sketch.edited():
        if len(file.hunks) > 1:
            first, second = file.hunks[:2]
            if not any(line.startswith("\\") for line in first.lines):
                first.lines += [dots, *second.lines]
                del file.hunks[1]
                return True
    return False


def own_hunks_as_one(sketch: Sketch, _random: Random) -> bool:
    """Hunks follow each other without a header between them."""
    done = False
    for file in sketch.edited():
        if len(file.hunks) > 1:
            file.hunks[0].lines += [line for hunk in file.hunks[1:] for line in hunk.lines]
            del file.hunks[1:]
            done = True
    return done


def no_prefix(sketch: Sketch, random: Random) -> bool:
    sketch.prefixes = random.choice((("", ""), ("", "b/"), ("a/", ""), ("./", "./"), ("old/", "new/")))
    sketch.git = False
    return True


def absolute(sketch: Sketch, random: Random) -> bool:
    if len(sketch.edited()) != len(sketch.files):
        return False  # where a new file belongs cannot be told from an absolute path
    sketch.prefixes = random.choice(
        (("/repo/", "/repo/"), ("/workspace/", "/workspace/"), ("/home/user/project/",) * 2)
    )
    sketch.git = False
    return True


def wrong_folder(sketch: Sketch, random: Random) -> bool:
    """The project's own name before the path, or the folders before it left out."""
    if len(sketch.edited()) != len(sketch.files):
        return False
    if random.random() < 0.5:
        sketch.folder = random.choice(("project/", "repo/", "workspace/project/"))
        return True
    done = False
    for file in sketch.files:
        _, slash, rest = file.path.partition("/")
        if slash:
            file.old = file.new = rest
            done = True
    sketch.git = False
    return done


def half_header(sketch: Sketch, random: Random) -> bool:
    if len(sketch.edited()) != len(sketch.files):
        return False
    sketch.half, sketch.git = random.choice(("---", "+++")), False
    return True


def unmarked_end(sketch: Sketch, _random: Random) -> bool:
    """`\\ No newline at end of file` is left out."""
    done = False
    for hunk in sketch.hunks():
        plain = [line for line in hunk.lines if not line.startswith("\\")]
        done |= plain != hunk.lines
        hunk.lines = plain
    return done


TextDamage = Callable[[str, Random], str]


def fenced(text: str, random: Random) -> str:
    fence = random.choice(("```diff", "```", "~~~diff", "```patch"))
    before = random.choice(("", "Here is the fix:\n\n", "The loop ends too early.\n\n- it stops\n- one short\n\n"))
    after = random.choice(("", "\n\nThis makes the test pass.", "\n- nothing else changes\n+ no risk\n"))
    return f"{before}{fence}\n{text}{fence[:3]}{after}"


def prose(text: str, random: Random) -> str:
    return random.choice(("Sure! The patch:\n\n", "Root cause: off by one.\n")) + text + "\nI hope this helps.\n"


def crlf(text: str, _random: Random) -> str:
    return text.replace("\n", "\r\n")


def no_final_newline(text: str, _random: Random) -> str:
    return text.rstrip("\n")


def indented(text: str, _random: Random) -> str:
    """The whole diff is indented, as under a list item."""
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))


def commit_mail(text: str, _random: Random) -> str:
    head = (
        "From 1a2b3c4 Mon Sep 17 00:00:00 2001\nFrom: a <a@example.org>\nSubject: [PATCH] fix\n\n---\n x.py | 2 +-\n\n"
    )
    return f"{head}{text}-- \n2.39.5\n"


def enveloped(sketch: Sketch) -> str:
    lines = ["*** Begin Patch"]
    for file in sketch.files:
        action = "Add" if file.old is None else "Delete" if file.new is None else "Update"
        lines.append(f"*** {action} File: {sketch.folder}{file.path}")
        for hunk in file.hunks if action != "Delete" else ():
            lines += [f"@@ {hunk.section}".rstrip()] if action == "Update" else []
            lines += [line for line in hunk.lines if not line.startswith("\\")]
    return "\n".join([*lines, "*** End Patch"]) + "\n"


SKETCHED: Mapping[str, Damage] = {
    "hunk counts": counts,
    "line numbers": numbers,
    "no line numbers": no_numbers,
    "context missing": missing_context,
    "context extra": extra_context,
    "context invented": invented_context,
    "blank line skipped": blank_line_skipped,
    "comment skipped or reworded": comment_skipped,
    "re-indented": dedented,
    "tabs and blanks": tabs,
    "leading blank lost": leading_blank_lost,
    "trailing blanks stripped": stripped,
    "trailing blanks added": trailing_added,
    "elision": elided,
    "hunk headers missing": own_hunks_as_one,
    "prefixes": no_prefix,
    "absolute path": absolute,
    "wrong folder": wrong_folder,
    "half a file header": half_header,
    "end of file unmarked": unmarked_end,
}
WRITTEN: Mapping[str, TextDamage] = {
    "fence and prose": fenced,
    "prose without fence": prose,
    "CRLF": crlf,
    "final newline missing": no_final_newline,
    "indented as a whole": indented,
    "as a mail": commit_mail,
}
ENVELOPE = "begin-patch envelope"
GENTLE: tuple[str, ...] = (
    "hunk counts",
    "line numbers",
    "no line numbers",
    "trailing blanks stripped",
    "leading blank lost",
    "prefixes",
)
GENTLE += ("context missing", "trailing blanks added", "re-indented", "wrong folder")


def damaged(case: Case, names: Sequence[str], random: Random) -> str | None:
    """The case's diff with those damages; None where one of them has nothing to work on."""
    sketch = case.sketch()
    for name in names:
        if name in SKETCHED and not SKETCHED[name](sketch, random):
            return None
    text = enveloped(sketch) if ENVELOPE in names else sketch.text()
    for name in names:
        if name in WRITTEN:
            text = WRITTEN[name](text, random)
    return text if text != case.diff else None


# --- judging ----------------------------------------------------------------------------------------------------------

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


def parses(text: str, case: Case) -> str:
    """Whether unidiff reads as many changed lines as the true diff has."""
    try:
        read, true = PatchSet.from_string(text), PatchSet.from_string(case.diff)
    except (UnidiffParseError, ValueError, IndexError):
        return REFUSED
    same = (read.added, read.removed, len(read)) == (true.added, true.removed, len(true))
    return RIGHT if same else WRONG if len(read) else REFUSED


PEERS: Mapping[str, Callable[[str, Case], str]] = {
    "git apply": lambda text, case: peer(("git", "apply"), text, case),
    "git apply --recount": lambda text, case: peer(("git", "apply", "--recount"), text, case),
    "patch -p1": lambda text, case: peer(
        ("patch", "-p1", "--force", "--silent", "--no-backup-if-mismatch", "--input"), text, case
    ),
    "unidiff (parses)": parses,
}


def table(rows: Mapping[str, Mapping[str, Counter[str]]], tools: Sequence[str]) -> str:
    """rows: damage → tool → verdicts."""
    lines = [f"| damage | diffs | {' | '.join(tools)} |", f"| --- | ---: |{' ---: |' * len(tools)}"]
    total: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for damage, by_tool in rows.items():
        cells = []
        for tool in tools:
            found = by_tool[tool]
            total[tool] += found
            cells.append(f"{found[RIGHT]}" + (f" (wrong {found[WRONG]})" if found[WRONG] else ""))
        lines.append(f"| {damage} | {by_tool[tools[0]].total()} | {' | '.join(cells)} |")
    shares = [f"**{total[tool][RIGHT] / total[tool].total():.1%}**, wrong {total[tool][WRONG]}" for tool in tools]
    lines.append(f"| **all** | {total[tools[0]].total()} | {' | '.join(shares)} |")
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
    options = parser.parse_args()
    random = Random(options.seed)
    tools = ("grokfix", *(() if options.no_peers else PEERS))
    rows: dict[str, dict[str, Counter[str]]] = {}
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        cases = [*history(scratch, random, 40), *generated(scratch, random, 36)]
        print(f"{len(cases)} true diffs, seed {options.seed}", file=sys.stderr)
        for row, names in plan(random, options.each, options.several):
            found = next(
                ((case, text) for case in random.sample(cases, len(cases)) if (text := damaged(case, names, random))),
                None,
            )
            if found is None:
                continue
            case, text = found
            by_tool = rows.setdefault(row, {tool: Counter() for tool in tools})
            verdict, said = ours(text, case)
            by_tool["grokfix"][verdict] += 1
            if verdict != RIGHT:
                reasons[f"{verdict}: {said.splitlines()[0][:100] if verdict == REFUSED else row}"] += 1
                if options.show:
                    print(f"=== {verdict}: {case.origin}, {', '.join(names)}\n{text}\n--- {said}\n", file=sys.stderr)
            for tool in tools[1:]:
                by_tool[tool][PEERS[tool](text, case)] += 1
    print(table(rows, tools))
    for reason, count in reasons.most_common() if options.show else ():
        print(f"{count:4} {reason}", file=sys.stderr)
    ours_total = sum((by_tool["grokfix"] for by_tool in rows.values()), Counter())
    return int(bool(ours_total[WRONG]) or ours_total[RIGHT] < GOAL_RIGHT * ours_total.total())


if __name__ == "__main__":
    sys.exit(main())
