"""Whether a damaged diff still says one thing, for `diffs.py`: an aligner that knows nothing of the bot's reader.

The quoted lines of a hunk are laid along the file in the cheapest way: a line that is found costs nothing, one that
is not there or is reworded 1, blank lines or comments left out between two lines 1 and a little for each line,
anything else left out 3, and nothing where dots stand for it. If the cheapest ways put a change in more than one
place, the hunk is ambiguous, unless one thing that the diff also says picks one way and nothing else that it says
picks another: an exact line number, the label behind the second @@, the hunks before and after. Where several files
could be meant, those count on which the hunks lie cheapest.

It is strict with the bot: where an addition belongs to removed lines it has their place, distances and differing
indentation decide, and a diff that clearly means a wrong place counts as answerable.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from diffs_corpus import Case, Hunk, Sketch

UNIT = 1000
FAR = 3 * UNIT
MOST_LEFT_OUT = 3
CONTEXT = 3
SOFT = re.compile(r"\s*(#.*)?$")


@dataclass(frozen=True)
class Laid:
    """The cheapest ways of laying a hunk: its cost, and the places of each change by first line (from 0)."""

    cost: int
    ways: dict[int, tuple[frozenset[int], ...]]


def ambiguity(sketch: Sketch, case: Case) -> str | None:
    """Why the damaged diff could mean several things; None where it means one."""
    for file in sketch.edited():
        candidates = _files(file.path, case)
        if not candidates:
            continue
        options = {path: [_laid(hunk, _lines(case, path), sketch) for hunk in file.hunks] for path in candidates}
        costs = {path: sum(each.cost for each in laid) for path, laid in options.items()}
        cheapest = [path for path, cost in costs.items() if cost == min(costs.values())]
        if len(cheapest) > 1:
            return "the path means several files"
        laid = options[cheapest[0]]
        lines = _lines(case, cheapest[0])
        for number, (hunk, each) in enumerate(zip(file.hunks, laid, strict=True)):
            reason = _unclear(hunk, each, _between(laid, number), lines, sketch)
            if reason is not None:
                return reason
    return None


def _files(path: str, case: Case) -> list[str]:
    known = case.checkout.entries
    if path in known:
        return [path]
    return [name for name in known if name.endswith(f"/{path}") or path.endswith(f"/{name}")]


def _lines(case: Case, path: str) -> list[str]:
    return (case.checkout.read(path) or b"").decode(errors="replace").replace("\r\n", "\n").split("\n")


def _between(laid: Sequence[Laid], number: int) -> range:
    """First lines that the neighbouring hunks leave to this one, where they stand in one place themselves."""
    before = [next(iter(each.ways)) for each in laid[:number] if len(each.ways) == 1]
    behind = [next(iter(each.ways)) for each in laid[number + 1 :] if len(each.ways) == 1]
    return range(max(before, default=-1) + 1, min(behind, default=1 << 30))


def _unclear(hunk: Hunk, laid: Laid, between: range, lines: Sequence[str], sketch: Sketch) -> str | None:
    said: list[set[int]] = []
    if len(laid.ways) > 1:
        starts = set(laid.ways)
        said.append({start for start in starts if start in between})
        number = hunk.start - 1 if sketch.numbered else -1
        said.append({number} & starts)
        if number >= 0 and hunk.section and _label(lines, number) == hunk.section.strip():
            # Number and label belong together, so the header is true: at most some context is missing below it.
            said.append({start for start in starts if number <= start <= number + CONTEXT})
        elif len(hunk.section) > 2:
            said.append({start for start in starts if _label(lines, start) == hunk.section.strip()})
        single = {next(iter(each)) for each in said if len(each) == 1}
        if not single:
            return "equal places, nothing picks one"
        if len(single) > 1:
            return "equal places, what the diff says of them contradicts itself"
        places = laid.ways[single.pop()]
    else:
        places = next(iter(laid.ways.values()), ())
    return "a line added beside one that was left out" if any(len(each) > 1 for each in places) else None


def _label(lines: Sequence[str], start: int) -> str:
    """The line that git would write behind the second @@ of a hunk which begins at `start`."""
    above = (line for line in reversed(lines[:start]) if re.match(r"[A-Za-z_$]", line))
    return next(above, "").strip()[:80].strip()


def _laid(hunk: Hunk, lines: Sequence[str], sketch: Sketch) -> Laid:
    """With exact indentation where that costs no more than without."""
    exact, loose = (_cheapest(hunk, lines, sketch, strip) for strip in (str.rstrip, str.strip))
    return exact if exact.cost <= loose.cost else loose


def _cheapest(hunk: Hunk, lines: Sequence[str], sketch: Sketch, clean: Callable[[str], str]) -> Laid:
    body = [(line[0], line[1:]) if line[:1] in (" ", "-", "+") else (" ", line) for line in _marked(hunk)]
    old = [(kind, clean(text)) for kind, text in body if kind != "+"]
    dotted = (sketch.dots or "").strip()
    dots = {i for i, (kind, text) in enumerate(old) if dotted and kind == " " and text == clean(sketch.dots.strip())}
    have = [clean(line) for line in lines]
    size, count = len(old), len(have)
    groups = _groups(body)
    whole = [j for j in range(count - size + 1) if have[j : j + size] == [text for _, text in old]] if not dots else []
    if whole:
        return Laid(0, {j: tuple(frozenset({j + index}) for index, _ in groups) for j in whole})
    never = 1 << 40
    soft = [bool(SOFT.match(line)) for line in have]
    # cost[i][j]: quoted lines i.. laid on file lines j.. ; moves: see the module.
    cost = [[never] * (count + 1) for _ in range(size + 1)]
    cost[size] = [0] * (count + 1)
    matched = [[never] * (count + 1) for _ in range(size + 1)]
    behind = [[never] * (count + 2) for _ in range(size + 1)]
    similar: dict[tuple[int, int], bool] = {}

    def take(i: int, j: int) -> int:
        kind, text = old[i]
        if i in dots or j >= count:
            return never
        if have[j] == text:
            return cost[i + 1][j + 1]
        if kind == " " and text and have[j] and text[0] == have[j][0]:
            key = (i, j)
            if key not in similar:
                similar[key] = _alike(text, have[j])
            if similar[key]:
                return UNIT + cost[i + 1][j + 1]
        return never

    def gaps(j: int) -> Iterable[tuple[int, int]]:
        """Moves over blank lines and comments: (file line, price)."""
        for k in range(1, MOST_LEFT_OUT + 1):
            if j + k >= count or not soft[j + k - 1]:
                return
            yield j + k, UNIT + k

    def skip(i: int, j: int) -> int:
        if old[i][0] != " ":
            return never
        return cost[i + 1][j] + (0 if i in dots else UNIT)

    free = {i for i in range(size) if i - 1 in dots}
    for i in range(size - 1, -1, -1):
        for j in range(count, -1, -1):
            matched[i][j] = take(i, j) if j < count else never
            behind[i][j] = min(matched[i][j], behind[i][j + 1])
        for j in range(count, -1, -1):
            best = min(matched[i][j], skip(i, j))
            if i:
                best = min([best, *(price + matched[i][to] for to, price in gaps(j))])
                best = min(best, behind[i][j] + (0 if i in free else FAR))
            cost[i][j] = best
    lowest = min(cost[0])
    if lowest >= never:
        return Laid(lowest, {})
    ways: dict[int, list[set[int]]] = {}
    for start in [j for j in range(count + 1) if cost[0][j] == lowest]:
        places: list[set[int]] = [set() for _ in groups]
        seen: set[tuple[int, int]] = set()
        todo = [(0, start)]
        while todo:
            i, j = todo.pop()
            if (i, j) in seen:
                continue
            seen.add((i, j))
            if i == size:
                _stand(groups, places, i, {j}, matching=False)
                continue
            steps: list[tuple[int, int]] = []
            if matched[i][j] == cost[i][j]:
                _stand(groups, places, i, {j}, matching=True)
                steps.append((i + 1, j + 1))
            if skip(i, j) == cost[i][j]:
                _stand(groups, places, i, {j}, matching=False)
                steps.append((i + 1, j))
            if i:
                jumps = [to for to, price in gaps(j) if price + matched[i][to] == cost[i][j]]
                if cost[i][j] == behind[i][j] + (0 if i in free else FAR):
                    jumps += [to for to in range(j + 1, count) if matched[i][to] == behind[i][j]]
                for to in set(jumps):
                    _stand(groups, places, i, {to} if old[i][0] == "-" else {j, to}, matching=True)
                    steps.append((i + 1, to + 1))
            todo += steps
        ways[start] = places
    return Laid(lowest, _distinct(ways))


def _marked(hunk: Hunk) -> list[str]:
    return [line for line in hunk.lines if not line.startswith("\\")]


def _alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one[:200], other[:200], autojunk=False).ratio() >= 0.6


def _groups(body: Sequence[tuple[str, str]]) -> list[tuple[int, bool]]:
    """For each run of changed lines: how many quoted lines stand before it, and whether it removes any."""
    found: list[tuple[int, bool]] = []
    quoted, open_group = 0, False
    for kind, _ in body:
        if kind == " ":
            open_group = False
        elif not open_group:
            found.append((quoted, kind == "-"))
            open_group = True
        elif kind == "-":
            found[-1] = (found[-1][0], True)
        quoted += kind != "+"
    return found


def _stand(groups: Sequence[tuple[int, bool]], places: list[set[int]], i: int, at: set[int], *, matching: bool) -> None:
    for group, (index, removes) in enumerate(groups):
        if index == i and (matching or not removes):
            places[group] |= at


def _distinct(ways: dict[int, list[set[int]]]) -> dict[int, tuple[frozenset[int], ...]]:
    """Ways that lead to the same places are one: the last, for lines skipped at the beginning have no place."""
    found: dict[tuple[frozenset[int], ...], int] = {}
    for start, places in ways.items():
        found[tuple(frozenset(each) for each in places)] = start
    return {start: places for places, start in found.items()}
