"""Fresh inputs for QuixBugs' programs: does the repaired program answer as the reference does?

    python benchmarks/quixbugs_inputs.py CLONE REPAIRED_TREE PROGRAM COUNT

Exit status 0: alike on all of COUNT inputs that the reference answers; 1: not, and the first difference is printed.
Each side runs in a process of its own, with a time limit a call. Inputs are drawn, with a fixed seed, from what a
program is for (a sorted list where it searches a sorted list), in the shapes of its published test data.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

SEED = 20260101
CALL_SECONDS = 1.0
Draw = Callable[[random.Random], list[Any]]


def integers(draw: random.Random, most: int = 10, low: int = -20, high: int = 60) -> list[int]:
    return [draw.randint(low, high) for _ in range(draw.randint(0, most))]


def word(draw: random.Random, most: int, letters: str = "abcde") -> str:
    return "".join(draw.choice(letters) for _ in range(draw.randint(0, most)))


def nested(draw: random.Random, depth: int = 3) -> list[Any]:
    return [
        nested(draw, depth - 1) if depth and draw.random() < 0.4 else draw.randint(0, 9)
        for _ in range(draw.randint(0, 4))
    ]


def parentheses(draw: random.Random) -> str:
    if draw.random() < 0.4:
        return word(draw, 8, "()")
    text = ""
    for _ in range(draw.randint(0, 5)):
        place = draw.randint(0, len(text))
        text = text[:place] + "()" + text[place:]
    return text[: -1 if draw.random() < 0.3 else None]


def palindrome(draw: random.Random) -> list[int]:
    half = [draw.randint(1, 9), *(draw.choice([0, 3, 9, 9]) for _ in range(draw.randint(0, 2)))]
    return half + half[::-1] if draw.random() < 0.5 else half + half[-2::-1]


def nearly_sorted(draw: random.Random) -> list[Any]:
    distance = draw.randint(0, 4)
    numbers = sorted(integers(draw))
    for start in range(0, len(numbers), distance + 1):
        block = numbers[start : start + distance + 1]
        draw.shuffle(block)
        numbers[start : start + distance + 1] = block
    return [numbers, distance]


def infix(draw: random.Random) -> list[Any]:
    tokens: list[Any] = [draw.randint(1, 40)]
    for _ in range(draw.randint(0, 5)):
        tokens += [draw.choice("+-*/"), draw.randint(1, 40)]
    return [tokens]


def postfix(draw: random.Random) -> list[Any]:
    tokens: list[Any] = [float(draw.randint(1, 9))]
    waiting = 1
    for _ in range(draw.randint(0, 8)):
        if waiting > 1 and draw.random() < 0.5:
            tokens.append(draw.choice("+-*/"))
            waiting -= 1
        else:
            tokens.append(float(draw.randint(1, 9)))
            waiting += 1
    return [tokens + [draw.choice("+-*/") for _ in range(waiting - 1)]]


def edges(draw: random.Random, count: int, density: float, *, forward: bool = False) -> list[tuple[int, int]]:
    pairs = [(u, v) for u in range(count) for v in range(count) if (u < v if forward else u != v)]
    return [pair for pair in pairs if draw.random() < density]


def weighted(draw: random.Random, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    pairs = list(pairs)
    return dict(zip(pairs, draw.sample(range(1, 10_000), len(pairs)), strict=True))


def graph(draw: random.Random) -> list[Any]:
    count = draw.randint(1, 7)
    return [count, edges(draw, count, 0.25), draw.randrange(count), draw.randrange(count)]


def weighted_graph(draw: random.Random) -> list[Any]:
    count, pairs, start, goal = graph(draw)
    return [count, weighted(draw, pairs), start, goal]


def dag(draw: random.Random) -> list[Any]:
    count = draw.randint(0, 7)
    order = draw.sample(range(count), count)
    return [count, [(order[u], order[v]) for u, v in edges(draw, count, 0.3, forward=True)]]


def chain(draw: random.Random) -> list[Any]:
    count = draw.randint(0, 6)
    return [count, draw.randrange(count) if count and draw.random() < 0.5 else None]


def undirected(draw: random.Random) -> list[Any]:
    return [weighted(draw, edges(draw, draw.randint(2, 6), 0.5, forward=True))]


def directed(draw: random.Random) -> list[Any]:
    count = draw.randint(2, 6)
    return [0, weighted(draw, edges(draw, count, 0.4))]


def sorted_and_key(draw: random.Random) -> list[Any]:
    return [sorted(integers(draw, 12, 0, 15)), draw.randint(-1, 16)]


def ranked(draw: random.Random) -> list[Any]:
    numbers = [*integers(draw, 9), draw.randint(0, 9)]
    return [numbers, draw.randrange(len(numbers))]


def knapsack(draw: random.Random) -> list[Any]:
    items = [[draw.randint(1, 30), draw.randint(1, 30)] for _ in range(draw.randint(0, 6))]
    return [draw.randint(0, 80), items]


def text_and_width(draw: random.Random) -> list[Any]:
    words = [word(draw, 8) for _ in range(draw.randint(1, 12))]
    return [" ".join(words), draw.randint(9, 20)]


def pegs(draw: random.Random) -> list[Any]:
    return [draw.randint(0, 5), *draw.sample([1, 2, 3], 2)]


PROGRAMS: dict[str, Draw] = {
    "bitcount": lambda draw: [draw.randint(0, 5000)],
    "breadth_first_search": graph,
    "bucketsort": lambda draw: [integers(draw, 10, 0, 9), 10],
    "depth_first_search": graph,
    "detect_cycle": chain,
    "find_first_in_sorted": sorted_and_key,
    "find_in_sorted": sorted_and_key,
    "flatten": lambda draw: [nested(draw)],
    "gcd": lambda draw: [draw.randint(0, 300), draw.randint(0, 300)],
    "get_factors": lambda draw: [draw.randint(1, 2000)],
    "hanoi": pegs,
    "is_valid_parenthesization": lambda draw: [parentheses(draw)],
    "kheapsort": nearly_sorted,
    "knapsack": knapsack,
    "kth": ranked,
    "lcs_length": lambda draw: [word(draw, 7), word(draw, 7)],
    "levenshtein": lambda draw: [word(draw, 5), word(draw, 5)],
    "lis": lambda draw: [draw.sample(range(40), draw.randint(0, 9))],
    "longest_common_subsequence": lambda draw: [word(draw, 6), word(draw, 6)],
    "max_sublist_sum": lambda draw: [integers(draw, 10, -9, 9)],
    "mergesort": lambda draw: [integers(draw)],
    "minimum_spanning_tree": undirected,
    "next_palindrome": lambda draw: [palindrome(draw)],
    "next_permutation": lambda draw: [draw.sample(range(9), draw.randint(2, 6))],
    "pascal": lambda draw: [draw.randint(1, 12)],
    "possible_change": lambda draw: [draw.sample(range(1, 20), draw.randint(1, 4)), draw.randint(-5, 40)],
    "powerset": lambda draw: [list("abcdef"[: draw.randint(0, 5)])],
    "quicksort": lambda draw: [integers(draw, 12, 0, 9)],
    "reverse_linked_list": lambda draw: [draw.randint(0, 6)],
    "rpn_eval": postfix,
    "shortest_path_length": weighted_graph,
    "shortest_path_lengths": lambda draw: [6, weighted(draw, edges(draw, 6, 0.3))],
    "shortest_paths": directed,
    "shunting_yard": infix,
    "sieve": lambda draw: [draw.randint(1, 120)],
    "sqrt": lambda draw: [draw.randint(1, 200), draw.choice([0.5, 0.1, 0.01, 0.0001])],
    "subsequences": lambda draw: [draw.randint(0, 4), draw.randint(0, 8), draw.randint(0, 4)],
    "to_base": lambda draw: [draw.randint(1, 5000), draw.randint(2, 36)],
    "topological_ordering": dag,
    "wrap": text_and_width,
}


def main() -> int:
    if sys.argv[1] == "--answer":
        return answer(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    clone, tree, program, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    draw = random.Random(SEED)
    inputs = [repr(PROGRAMS[program](draw)) for _ in range(count)]
    reference = ask(clone, "correct_python_programs", program, inputs)
    repaired = ask(tree, "python_programs", program, inputs)
    for given, expected, actual in zip(inputs, reference, repaired, strict=True):
        if not expected.startswith("!") and not alike(program, given, expected, actual):
            print(f"{given}: {expected[:100]} expected, {actual[:100]} given")
            return 1
    answered = sum(1 for each in reference if not each.startswith("!"))
    if answered < count // 4:
        print(f"the reference answers only {answered} of {count} inputs")
        return 2
    return 0


def alike(program: str, given: str, expected: str, actual: str) -> bool:
    if program == "sqrt" and not actual.startswith("!"):  # any answer within the asked-for precision is right
        precision: float = ast.literal_eval(given)[1]
        return abs(float(expected) - float(actual)) <= precision
    return expected == actual


def ask(folder: Path, package: str, program: str, inputs: list[str]) -> list[str]:
    argv = [sys.executable, __file__, "--answer", str(folder), package, program]
    told = subprocess.run(argv, input="\n".join(inputs), capture_output=True, text=True, check=True, timeout=240)
    return told.stdout.splitlines()


def answer(folder: Path, package: str, program: str) -> int:
    sys.path[:0] = [str(folder), str(folder / "python_testcases")]
    function = getattr(importlib.import_module(f"{package}.{program}"), program)
    signal.signal(signal.SIGALRM, stop)
    late = 0
    for line in sys.stdin:
        if late > 20:
            print("!late")
            continue
        signal.setitimer(signal.ITIMER_REAL, CALL_SECONDS)
        try:
            said = call(program, function, ast.literal_eval(line))
        except TimeoutError:
            said, late = "!late", late + 1
        except Exception as error:  # noqa: BLE001 (whatever a program raises is its answer)
            said = f"!{type(error).__name__}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(said)
    return 0


def stop(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def call(program: str, function: Callable[..., Any], given: list[Any]) -> str:
    """The function's answer as text; graphs and lists are built of QuixBugs' own nodes."""
    if program in ("breadth_first_search", "depth_first_search", "shortest_path_length"):
        count, pairs, start, goal = given
        nodes = [new_node(number) for number in range(count)]
        for node in nodes:
            node.successors = [nodes[v] for u, v in pairs if u == node.value]
        if program == "shortest_path_length":
            lengths = {(nodes[u], nodes[v]): length for (u, v), length in pairs.items()}
            return plain(function(lengths, nodes[start], nodes[goal]))
        return plain(function(nodes[start], nodes[goal]))
    if program == "topological_ordering":
        count, pairs = given
        nodes = [new_node(number) for number in range(count)]
        for node in nodes:
            node.outgoing_nodes = [nodes[v] for u, v in pairs if u == node.value]
            node.incoming_nodes = [nodes[u] for u, v in pairs if v == node.value]
        return plain([node.value for node in function(nodes)])
    if program in ("detect_cycle", "reverse_linked_list"):
        nodes = [new_node(number) for number in range(given[0])]
        for one, following in itertools.pairwise(nodes):
            one.successor = following
        if program == "detect_cycle":
            if given[1] is not None:
                nodes[-1].successor = nodes[given[1]]
            return plain(function(nodes[0] if nodes else None))
        node = function(nodes[0] if nodes else None)
        values: list[int] = []
        while node is not None and len(values) <= len(nodes):
            values.append(node.value)
            node = node.successor
        return plain(values)
    return plain(function(*given))


def new_node(value: int) -> Any:
    return importlib.import_module("node").Node(value)


def plain(value: Any) -> str:
    """Text by which answers are compared: iterators as lists, sets and mappings in an order of their own."""
    if hasattr(value, "__next__"):
        value = list(value)
    if isinstance(value, set):
        value = sorted(value)
    if isinstance(value, dict):
        value = sorted(value.items())
    return repr(value)


if __name__ == "__main__":
    sys.exit(main())
