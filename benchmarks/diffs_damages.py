"""What language models do to diffs, for `diffs.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from diffs_corpus import Case, Sketch

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
    sketch.numbered = False
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
    """An outer line of context that is not in the file, or not in that wording: in one hunk or in each."""
    done, every = False, random.random() < 0.5
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        if sum(line.startswith(" ") and len(line) > 4 for line in hunk.lines) > 2:
            end = random.choice((0, len(hunk.lines)))
            hunk.lines.insert(end, random.choice((" # here it is changed", " # (see above)", "     # unchanged")))
            done = True
            if not every:
                break
    return done


def blank_line_skipped(sketch: Sketch, random: Random) -> bool:
    """A blank line in the middle of the context is forgotten: in one hunk or in each."""
    done, every = False, random.random() < 0.5
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        inner = [i for i in range(1, len(hunk.lines) - 1) if hunk.lines[i] == " "]
        if inner:
            hunk.lines.pop(random.choice(inner))
            done = True
            if not every:
                break
    return done


def comment_skipped(sketch: Sketch, random: Random) -> bool:
    """A comment within the context is forgotten or reworded: in one hunk or in each."""
    done, every = False, random.random() < 0.5
    for hunk in random.sample(sketch.hunks(), len(sketch.hunks())):
        inner = [i for i in range(1, len(hunk.lines) - 1) if re.match(r" \s*# ", hunk.lines[i])]
        if inner:
            index = random.choice(inner)
            if random.random() < 0.5:
                hunk.lines.pop(index)
            else:
                hunk.lines[index] += " (unchanged)"
            done = True
            if not every:
                break
    return done


def dedented(sketch: Sketch, _random: Random) -> bool:
    """Every line lost what all had in common, or the sketch gains a level."""
    done = False
    for hunk in sketch.hunks():
        solid = [line[1:] for line in hunk.lines if line[1:].strip() and not line.startswith("\\")]
        common = min((len(line) - len(line.lstrip(" \t")) for line in solid), default=0)
        if common:
            hunk.lines = [line if line.startswith("\\") else line[:1] + line[1 + common :] for line in hunk.lines]
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
                sketch.dots = dots
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


def damaged(case: Case, names: Sequence[str], random: Random) -> tuple[str, Sketch] | None:
    """The case's diff with those damages, and the sketch of it; None where one of them has nothing to work on."""
    sketch = case.sketch()
    for name in names:
        if name in SKETCHED and not SKETCHED[name](sketch, random):
            return None
    text = enveloped(sketch) if ENVELOPE in names else sketch.text()
    sketch.numbered &= ENVELOPE not in names
    for name in names:
        if name in WRITTEN:
            text = WRITTEN[name](text, random)
    return (text, sketch) if text != case.diff else None
