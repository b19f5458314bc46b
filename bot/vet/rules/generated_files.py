"""A change of generated or vendored code is undone by the next generation; the generator must be mended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "generated_files"

_FOLDERS = frozenset(
    {"vendor", "vendored", "_vendor", "third_party", "thirdparty", "node_modules", "bower_components", "site-packages"}
    | {"__pycache__", ".tox", ".nox", ".venv", "venv", ".eggs"}
)
_NAMES = re.compile(
    r".*(?:\.min\.(?:js|css)|_pb2(?:_grpc)?\.pyi?|\.pb\.go|\.generated\.[a-z]+|_generated\.[a-z]+|\.pyc|\.map)"
)
_MARK = re.compile(
    r"@generated\b|\bauto-?generated\b|\b(?:code|file) (?:is |was |has been )?(?:automatically |auto-?)?generated\b"
    r"|\bgenerated\b.*\bdo not (?:edit|modify)\b|\bdo not (?:edit|modify)\b.*\bgenerated\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"\s*(?:#|//|/?\*|--|<!--|;|\"\"\"|''')")


def check(subject: Subject) -> Iterator[Objection]:
    """By folder, by name, and by the marks that generators leave in the first lines of a file that existed."""
    for file in subject.files():
        folders = file.path.casefold().split("/")[:-1]
        if folders[:1] in (["dist"], ["build"]) or any(
            folder in _FOLDERS or folder.endswith(".egg-info") for folder in folders
        ):
            what = "lies in a folder of vendored or built code"
        elif _NAMES.fullmatch(file.name.casefold()):
            what = "is a generated file by its name"
        elif file.before is not None and _marked(file.before):
            what = "says in its first lines that it is generated"
        else:
            continue
        message = f"{file.path} {what}; change what it is made from"
        yield Objection(NAME, file.path, message, Grade.BLOCKED)


def _marked(text: str) -> bool:
    return any(_COMMENT.match(line) and _MARK.search(line) for line in text[:2000].split("\n")[:8])
