"""What changed since the last good revision, as prime suspects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.diagnose.source_files import SourceFile
from bot.workspace.types import ChangedRange

_MOST = 2000


def changed_statements(
    changed: tuple[ChangedRange, ...], source: Callable[[str], SourceFile | None]
) -> Mapping[tuple[str, int], int]:
    """Statements that a diff touched: (path, first line) → number of statements changed in the whole diff.

    Blank lines and comments count for nothing. A small diff says more than a large one, hence the number.
    """
    touched: dict[tuple[str, int], int] = {}
    for span in changed:
        file = source(span.path)
        if file is None:
            continue
        for line in range(max(span.first, 1), min(span.last, len(file.lines)) + 1):
            text = file.lines[line - 1].strip()
            if not text or text.startswith("#") or (file.module is not None and line not in file.statements):
                continue
            touched[(span.path, file.statement(line))] = 0
            if len(touched) >= _MOST:
                break
    return dict.fromkeys(touched, len(touched))
