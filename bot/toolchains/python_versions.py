"""Which Python a project asks for, as far as choosing an image needs it: minor versions, newest patch assumed."""

from __future__ import annotations

import re

MINORS = (13, 12, 11, 10, 9, 14)
"""Minor versions of Python 3 in the order of preference: wheels exist for 3.13; 3.14 only where nothing else fits."""

_CLAUSE = re.compile(r"\s*(===|==|~=|!=|<=|>=|<|>|\^|~|=)?\s*v?(\d+(?:\.(?:\d+|\*)){0,3})\s*")
_NEWEST_PATCH = 50  # images carry the newest patch release; which one it is does not matter here


def allows(specifier: str, minor: int) -> bool:
    """Whether the newest patch release of Python 3.`minor` satisfies `specifier`.

    Reads PEP 440 clauses on plain releases (">=3.9,<4", "~=3.10", "!=3.12.*") and Poetry's "^3.9", "~3.11", "||".
    A clause that cannot be read allows everything: an installer will have the last word.
    """
    return any(
        all(_clause_allows(clause, (3, minor, _NEWEST_PATCH)) for clause in alternative.split(","))
        for alternative in re.split(r"\|\|?", specifier)
    )


def _clause_allows(clause: str, version: tuple[int, int, int]) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True
    operator, text = match[1] or "==", match[2]
    parts = tuple(int(part) for part in text.split(".") if part != "*")
    same = version[: len(parts)] == parts
    padded = (*parts, 0, 0, 0)[:3]
    match operator:
        case "==" | "===" | "=":
            return same  # "==3.11.4" counts for 3.11's image only where three parts agree
        case "!=":
            return not same if "*" in text else True
        case ">=":
            return version >= padded
        case ">":
            return version > padded
        case "<=":
            return version <= padded
        case "<":
            return version < padded
        case "^":
            return version >= padded and version[0] == parts[0]
        case "~":
            return version >= padded and version[:2] == padded[:2]
        case _:  # "~="
            return version >= padded and version[: len(parts) - 1] == parts[:-1]


def exact_release(specifier: str) -> str:
    """ "3.11.4" where `specifier` pins one patch release, else ""."""
    match = re.fullmatch(r"\s*===?\s*(3\.\d+\.\d+)\s*", specifier)
    return match[1] if match else ""


def choose(specifier: str, listed: tuple[int, ...], pinned: str) -> str | None:
    """The release for an image's tag: "3.13", or a patch release that is pinned exactly; None where nothing fits.

    pinned: contents of .python-version. listed: minors of the trove classifiers, which narrow the choice where a
    project names no upper bound but was never tried on newer versions.
    """
    match = re.match(r"\s*(?:cpython-)?3\.(\d+)", pinned)
    if match and allows(specifier, int(match[1])):
        return f"3.{match[1]}"
    if exact_release(specifier):
        return exact_release(specifier)
    allowed = [minor for minor in MINORS if allows(specifier, minor)]
    tried = [minor for minor in allowed if minor in listed]
    fitting = tried or allowed
    return f"3.{fitting[0]}" if fitting else None
