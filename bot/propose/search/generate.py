"""Candidates for ranked locations: cheapest first, lazily, without duplicates, every one of them compiling."""

from __future__ import annotations

import ast
import bisect
import hashlib
import heapq
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.diagnose.types import Location
from bot.propose.search.rules import RULES
from bot.propose.search.source import FunctionNode, ancestors, parse, span, statement_at, statements_at
from bot.propose.search.types import Candidate, Source

MOST_CANDIDATES = 20_000
MOST_OF_ONE_STATEMENT = 1_500
MOST_STATEMENTS = 200


def generate(
    locations: Sequence[Location], read: Callable[[str], str | None], *, most: int = MOST_CANDIDATES
) -> Iterator[Candidate]:
    """Candidates for the statements at `locations` (best first), at most `most`, in the order they should be tried.

    read: the decoded text of a repository path at base, None where there is none. Locations that name no statement of
    readable Python are passed over.

    Order is the rule's cost plus log2(1 + rank of the statement): with 16 statements the last one's commonest faults
    (cost 1) come before the first one's far-fetched ones (cost above 5), and the other way round nothing starves.
    Two candidates with the same resulting syntax tree are one; the cheaper stays.
    """
    waiting: list[_Waiting] = []
    for rank, (source, statement) in enumerate(_statements(locations, read)):
        penalty = math.log2(1 + rank)
        waiting.append(_Waiting(1.0 + penalty, rank, -1, penalty, source, statement, iter(())))
    heapq.heapify(waiting)
    seen: set[bytes] = set()
    given = 0
    while waiting and given < most:
        entry = heapq.heappop(waiting)
        if entry.number < 0:
            entry.rest = iter(_of_statement(entry.source, entry.statement))
        elif entry.next is not None:
            result = fingerprint(entry.source, entry.next)
            unchanged = result is None or result in seen
            if result is not None and not unchanged:
                seen.add(result)
                given += 1
                yield entry.next
        entry.next = next(entry.rest, None)
        if entry.next is not None:
            entry.number += 1
            entry.priority = entry.next.cost + entry.penalty
            heapq.heappush(waiting, entry)


@dataclass(slots=True)
class _Waiting:
    """A statement in the queue: `number` -1 until its candidates have been made."""

    priority: float
    rank: int
    number: int
    penalty: float
    source: Source
    statement: ast.stmt
    rest: Iterator[Candidate]
    next: Candidate | None = None

    def __lt__(self, other: _Waiting) -> bool:
        return (self.priority, self.rank) < (other.priority, other.rank)


def _statements(locations: Sequence[Location], read: Callable[[str], str | None]) -> Iterator[tuple[Source, ast.stmt]]:
    sources: dict[str, Source | None] = {}
    met: set[ast.stmt] = set()
    for location in locations:
        if len(met) >= MOST_STATEMENTS:
            return
        if location.path not in sources:
            text = read(location.path) if location.path.endswith((".py", ".pyw", ".pyi")) else None
            sources[location.path] = None if text is None else parse(location.path, text)
        source = sources[location.path]
        if source is None:
            continue
        for statement in statements_at(source, location.line):
            if statement not in met:
                met.add(statement)
                yield source, statement


def _of_statement(source: Source, statement: ast.stmt) -> list[Candidate]:
    found = [candidate for rule in RULES for candidate in rule.candidates(source, statement)]
    found.sort(key=lambda candidate: candidate.cost)
    return found[:MOST_OF_ONE_STATEMENT]


def fingerprint(source: Source, candidate: Candidate) -> bytes | None:
    """Digest of the syntax tree that the candidate makes of the part it changes; None where the result does not
    compile or is the same program as before.

    Only the outermost function (elsewhere the top-level statement) around the edits is compiled, not the file.
    """
    start, end = _part(source, candidate)
    before = source.text[start:end]
    shifted = Candidate(
        candidate.path,
        candidate.line,
        tuple(type(edit)(edit.start - start, edit.end - start, edit.replacement) for edit in candidate.edits),
        candidate.rule,
        candidate.cost,
        candidate.description,
    )
    after = _tree(shifted.apply(before))
    if after is None or after == _tree_before(before):
        return None
    return hashlib.blake2b(f"{source.path}\0{start}\0{after}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _part(source: Source, candidate: Candidate) -> tuple[int, int]:
    """Whole lines around the edits."""
    statement = statement_at(source, candidate.line)
    node: ast.AST | None = statement
    if statement is not None:
        around = [statement, *ancestors(source, statement)]
        functions = [part for part in around if isinstance(part, FunctionNode)]
        node = functions[-1] if functions else next(part for part in reversed(around) if isinstance(part, ast.stmt))
    first = min(edit.start for edit in candidate.edits)
    last = max(edit.end for edit in candidate.edits)
    if node is None:
        return 0, len(source.text)
    start, end = span(source, node)
    start = source.offsets[bisect.bisect_right(source.offsets, start) - 1]
    following = bisect.bisect_left(source.offsets, end)
    end = source.offsets[following] if following < len(source.offsets) else len(source.text)
    if first < start or last > end:
        return 0, len(source.text)
    return start, end


@lru_cache(maxsize=64)
def _tree_before(text: str) -> str | None:
    return _tree(text)


def _tree(text: str) -> str | None:
    """The dumped tree of a piece of source that stands at any indentation; None where it does not compile."""
    whole = f"if 1:\n{text}" if text.startswith((" ", "\t")) else text.removeprefix("\ufeff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(whole)
            compile(tree, "<candidate>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return ast.dump(tree)
