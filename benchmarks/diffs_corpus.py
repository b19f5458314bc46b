"""True diffs for `diffs.py`, the same on every commit of this repository: what changed between two releases of known
libraries (wheels by their SHA-256), and generated projects of look-alike functions.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bot.patch.apply import apply_overlay
from bot.patch.types import Applied
from bot.workspace.checkout import Checkout
from bot.workspace.from_files import File, repository_of

MOST_CHANGED = 120
RELEASES = (  # each twice: before and after
    ("attrs==23.2.0", "99b87a485a5820b23b879f04c2305b44b951b502fd64be915879d77a7e8fc6f1"),
    ("attrs==24.1.0", "377b47448cb61fea38533f671fba0d0f8a96fd58facd4dc518e3dac9dbea0905"),
    ("boltons==24.0.0", "9618695a6ec4f50412e7072e5d78910a00b4111d0b9b549e4a3d60bc321e7807"),
    ("boltons==24.1.0", "a1776d47fdc387fb730fba1fe245f405ee184ee0be2fb447dd289773a84aed3b"),
    ("click==8.1.7", "ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28"),
    ("click==8.1.8", "63c132bbbed01578a06712a2d1f497bb62d9c1c0d329b7903a866228027263b2"),
    ("jinja2==3.1.4", "bc5dd2abb727a5319567b7a813e6a2e7318c39f4f487cfe6c89c6f9c7d25197d"),
    ("jinja2==3.1.6", "85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67"),
    ("more-itertools==10.4.0", "0f7d9f83a0a8dcfa8a2694a770590d98a67ea943e3d9f5298309a484758c4e27"),
    ("more-itertools==10.5.0", "037b0d3203ce90cca8ab1defbbdac29d5f993fc20131f3664dc8d6acfa872aef"),
)
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
    numbered: bool = True
    dots: str | None = None
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


# --- releases ---------------------------------------------------------------------------------------------------------


def downloaded(folder: Path) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Name and texts before and after, by path, of each pair of releases; Python, text and Markdown files only."""
    needed = folder / "needed.txt"
    wheels = []
    for requirement, digest in RELEASES:
        needed.write_text(f"{requirement} --hash=sha256:{digest}\n")
        into = folder / requirement
        into.mkdir(exist_ok=True)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
        if not list(into.glob("*.whl")):
            only = ("--require-hashes", "--only-binary", ":all:", "--dest", str(into), "--requirement", str(needed))
            subprocess.run((*pip, *only), check=True)
        with zipfile.ZipFile(next(into.glob("*.whl"))) as archive:
            names = [name for name in archive.namelist() if name.endswith((".py", ".pyi", ".md"))]
            wheels.append({name: archive.read(name).decode() for name in names if ".dist-info/" not in name})
    names = [requirement for requirement, _ in RELEASES[::2]]
    return list(zip(names, wheels[::2], wheels[1::2], strict=True))


def released(scratch: Path, random: Random, count: int, kept: Path) -> Iterator[Case]:
    """Parts of real changes: of one to three files, a few neighbouring hunks each. kept: folder for the wheels."""
    projects = []
    for name, before, after in downloaded(kept):
        folder = scratch / name
        folder.mkdir()
        files = {path: File(text.encode()) for path, text in before.items()}
        changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        projects.append((name, before, after, changed, repository_of(files, folder).checkout()))
    made = 0
    while made < count:
        name, before, after, changed, checkout = random.choice(projects)
        base: dict[str, bytes | None] = {}
        wanted: dict[str, bytes | None] = {}
        for path in random.sample(changed, min(random.choice((1, 1, 2, 3)), len(changed))):
            text = _partly(before.get(path), after.get(path), random)
            base[path] = None if path not in before else before[path].encode()
            wanted[path] = None if text is None else text.encode()
        done = apply_overlay({path: text for path, text in wanted.items() if text != base[path]}, checkout)
        if not isinstance(done, Applied) or "\r" in done.patch.text:
            continue
        if 2 <= sum(change.added + change.deleted for change in done.changes) <= MOST_CHANGED:
            made += 1
            yield Case(f"{name} {made}", base, wanted, done.patch.text, checkout)


def _partly(before: str | None, after: str | None, random: Random) -> str | None:
    """The old text with one to four neighbouring changes of the new one."""
    if before is None or after is None:
        return after
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    edits = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    first = random.randrange(len(edits))
    for _, start, end, new_start, new_end in reversed(edits[first : first + random.randint(1, 4)]):
        old[start:end] = new[new_start:new_end]
    return "".join(old)


# --- generated --------------------------------------------------------------------------------------------------------


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
        done = apply_overlay(wanted, checkout)
        if isinstance(done, Applied):
            diff = done.patch.text.replace("\r\n", "\n")
            yield Case(f"generated {number}", {**base, **dict.fromkeys(new_test)}, wanted, diff, checkout)


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
