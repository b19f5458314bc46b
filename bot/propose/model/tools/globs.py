"""Globs over repository paths, in time that no pattern can blow up."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

_MOST_VARIANTS = 32
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")

Component = Callable[[str], object]


def matcher(glob: str) -> Callable[[str], bool]:
    """Whether a path matches: `*` and `?` stay within a name, `**` is any number of folders, `{a,b}` either.

    A glob without "/" is matched against the file's name alone; with one, against the whole path from the root. One
    that ends in "/" means everything below that folder. ValueError where its braces stand for too many globs.
    """
    globs = [glob]
    while any(_BRACES.search(each) for each in globs):
        globs = [variant for each in globs for variant in _expanded(each)]
        if len(globs) > _MOST_VARIANTS:
            raise ValueError(f"its braces stand for more than {_MOST_VARIANTS} globs; ask for fewer at once")
    matchers = [_one(each) for each in globs]
    return lambda path: any(match(path) for match in matchers)


def _expanded(glob: str) -> list[str]:
    match = _BRACES.search(glob)
    if match is None:
        return [glob]
    return [glob[: match.start()] + word + glob[match.end() :] for word in match[1].split(",")]


def _one(glob: str) -> Callable[[str], bool]:
    glob = glob.removeprefix("./").removeprefix("/")
    if glob.endswith("/"):
        glob += "**"
    names = glob.split("/")
    if len(names) == 1 and names[0] != "**":
        match = _component(names[0])
        return lambda path: bool(match(path.rpartition("/")[2]))
    if names[-1] == "**":
        names.append("*")  # `a/**` is everything below a, not a itself
    components = [None if name == "**" else _component(name) for name in names]
    return lambda path: _matches(components, path.split("/"))


def _component(glob: str) -> Component:
    # translate() writes each `*` as an atomic group, so that a name is matched without backtracking between stars.
    return re.compile(fnmatch.translate(glob)).match


def _matches(components: list[Component | None], names: list[str]) -> bool:
    """Row by row over the pattern, as for an edit distance: `reached[i]` where the first i names are used up."""
    reached = [True] + [False] * len(names)
    for component in components:
        if component is None:
            first = reached.index(True) if True in reached else len(reached)
            reached = [position >= first for position in range(len(reached))]
        else:
            reached = [False] + [
                reached[position] and component(name) is not None for position, name in enumerate(names)
            ]
    return reached[-1]
