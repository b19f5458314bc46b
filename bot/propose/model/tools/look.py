"""Reading files, and finding them."""

from __future__ import annotations

from collections import Counter

from bot.evidence.text import one_line
from bot.ports import ToolSpec
from bot.propose.model.render import block
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.files import LARGEST, Unreadable
from bot.propose.model.tools.globs import matcher
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted

_LINES = 400  # of one read
_CHARACTERS = 24_000
_LONGEST_LINE = 1_000
_PATHS = 300
_LISTING = 12_000  # characters
_FOLDERS = 60
_DEEPEST = 8


class ReadFile:
    """Lines of a file, with their numbers."""

    # "numbers are not part of the code": models that are not told copy them into their diffs.
    spec: ToolSpec = schema.spec(
        "read_file",
        f"""Lines of a file, as it is with your draft. Each line begins with its number and '|', which are not part of
        the code. At most {_LINES} lines at once; without a range, the first {_LINES}.""",
        {
            "path": schema.path(),
            "first": schema.integer("First line, counted from 1.", 1, 10_000_000),
            "last": schema.integer("Last line, included.", 1, 10_000_000),
            "at_base": schema.flag("The file as it is without your draft, which is what a patch has to fit."),
        },
        ("path",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        path = _plain(arguments.text("path"))
        files = desk.base if arguments.flag("at_base") else desk.files
        text = files.read(path)
        if isinstance(text, Unreadable):
            return unreadable(path, text, desk)
        lines, total = text.lines, len(text.lines)
        first = arguments.integer("first", 1)
        last = max(first, arguments.integer("last", first + _LINES - 1))
        whole = counted(total, "line") + (
            f" (of its first {LARGEST:,} bytes; it has {text.size:,})" if text.cut else ""
        )
        if not lines:
            return ToolResult(f"{_shown(path)} is empty.")
        if first > total:
            return ToolResult(f"{_shown(path)} has {whole}; line {first:,} is past its end.", ok=False)
        last = min(last, total, first + _LINES - 1)
        content = desk.redact("\n".join(lines[first - 1 : last])).split("\n")  # before any line is cut
        # A secret that ran over several lines is one mark now, and numbers would be those of other lines.
        numbered = len(content) == last - first + 1
        chosen: list[str] = []
        size = 0
        for number, line in enumerate(content, first):
            shown = f"{number:>{len(str(last))}}|{_short(line)}" if numbered else _short(line)
            size += len(shown) + 1
            if chosen and size > _CHARACTERS:
                last = number - 1
                break
            chosen.append(shown)
        notes = [whole + (", with your draft" if path in files.overlay else "") + "."]
        if last < total:
            notes.append(f"Read on with first={last + 1}.")
        if not numbered:
            notes.append("Lines are without numbers, for a secret in them was taken out.")
        name = desk.redact(f"{path} lines {first}-{last} of {total}")
        code = block(name, "\n".join(chosen))
        return ToolResult(f"{' '.join(notes)}\n{code}")


class ListFiles:
    """Paths by glob; where they are too many, folders with their counts."""

    spec: ToolSpec = schema.spec(
        "list_files",
        """Files of the repository whose path matches a glob, with your draft's. `*` stays within a name, `**` is any
        number of folders: `src/**/*.py`, `**/conftest.py`. A glob without '/' is matched against names alone. Without
        a glob: the tree of folders with the number of files in each.""",
        {"glob": schema.text("For instance `src/**/*.py`.", 300)},
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        glob = arguments.text("glob").strip()
        files = desk.files
        if not glob:
            return ToolResult(
                f"{counted(len(files.paths), 'file')}.\n{desk.data('folders', _tree(files.paths), _LISTING)}"
            )
        found = matching(glob, files.paths)
        if isinstance(found, ToolResult):
            return found
        if not found:
            return ToolResult(f"No file matches {_shown(glob)}. Without a glob, list_files shows the folders.")
        listed, size = [], 0
        for path in found[:_PATHS]:
            size += len(path) + 1
            if size > _LISTING - 200:
                break
            listed.append(path)
        more = len(found) - len(listed)
        said = counted(len(found), "file") + (
            f", the first {len(listed)} of them; narrow the glob for the rest" if more else ""
        )
        text = "\n".join(listed) + ("\n\nfolders of all:\n" + _tree(found) if more else "")
        return ToolResult(f"{said}.\n{desk.data('files', text, 2 * _LISTING)}")


def matching(glob: str, paths: tuple[str, ...]) -> tuple[str, ...] | ToolResult:
    """Those of `paths` that match, all for an empty glob."""
    if not glob.strip():
        return paths
    try:
        match = matcher(glob.strip())
    except ValueError as error:
        return ToolResult(f"The glob {_shown(glob)} cannot be used: {error}.", ok=False)
    return tuple(path for path in paths if match(path))


def unreadable(path: str, why: Unreadable, desk: Desk) -> ToolResult:
    """The answer to a path that gives nothing to see."""
    said = f"Cannot read {_shown(path)}: {why.reason}."
    if why.near:
        said += " Files of that name:\n" + desk.listing("paths", why.near, 4_000)
    return ToolResult(said, ok=False)


def _plain(path: str) -> str:
    """Forgives a leading "./"; nothing else."""
    return path.strip().removeprefix("./")


def _shown(text: str) -> str:
    return repr(one_line(text, 200))


def _short(line: str) -> str:
    cut = len(line) - _LONGEST_LINE
    return line if cut <= 0 else f"{line[:_LONGEST_LINE]}… [{cut:,} more characters in this line]"


def _tree(paths: tuple[str, ...]) -> str:
    """Folders with the number of files below them: whole levels of them, as many as fit into _FOLDERS lines."""
    levels: list[Counter[str]] = [Counter() for _ in range(_DEEPEST + 1)]
    for path in paths:
        above = path.split("/")[:-1]
        for depth in range(min(len(above), _DEEPEST) + 1):
            levels[depth]["/".join(above[:depth]) + "/"] += 1
    shown: dict[str, int] = {}
    for depth, level in enumerate(levels):
        if depth > 1 and len(shown) + len(level) > _FOLDERS:
            break
        shown |= level.most_common(_FOLDERS)
    hidden = len(levels[1]) - _FOLDERS
    more = [f"… and {hidden} more folders"] if hidden > 0 else []
    return "\n".join([*(f"{count:>6} {name if name != '/' else './'}" for name, count in sorted(shown.items())), *more])
