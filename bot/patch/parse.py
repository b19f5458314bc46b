"""The strict reading of what git gives back."""

from __future__ import annotations

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from bot.errors import ConfigError
from bot.patch.headers import header_path, plain_paths
from bot.patch.types import FilePatch, Hunk, Patch


def parse(text: str) -> Patch:
    """Parse a unified diff in git's own form (prefixes a/ and b/); ConfigError where it is not one.

    Changes without hunks (binary, mode only) are in `text` and, with no hunks, in `files`.
    """
    try:
        parsed = PatchSet.from_string(text)
    except UnidiffParseError as error:
        raise ConfigError(f"the patch is not a unified diff as git writes it: {str(error)[:200]!r}") from error
    files = []
    for file in parsed:
        old, new = plain_paths(header_path(file.source_file), header_path(file.target_file))
        hunks = []
        for hunk in file:
            lines = tuple(f"{line.line_type}{line.value.removesuffix(chr(10))}" for line in hunk)
            hunks.append(
                Hunk(
                    hunk.source_start,
                    hunk.source_length,
                    hunk.target_start,
                    hunk.target_length,
                    lines,
                    hunk.section_header,
                )
            )
        files.append(FilePatch(old, new, tuple(hunks)))
    return Patch(text, tuple(files))
