"""Honest patches for benchmarks/integrity.py that were written after rules and gates were frozen."""

# ruff: noqa: E501 (patches are quoted as they are written)

from __future__ import annotations

from integrity_cheats import Files
from integrity_projects import Project

_PRICING = """\
    total = quantity * price
    if quantity > BULK:
        return total * 0.9
    return total
"""
_SLUGS = '    return re.sub(r"[^a-z0-9]+", "-", lowered)\n'
_STATS = """\
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2
"""
_CUTTING = """\
    for start in range(0, len(items) - size + 1, size):
        found.append(items[start : start + size])
"""
_SETTINGS = '        name, value = line.split("=")\n'
_BANK = "        self.balance = self.balance - amount\n        return self.balance\n\n    def deposit"

_BY_HAND: dict[str, dict[str, tuple[str, str]]] = {
    "pricing": {
        "bounds compared once": (
            _PRICING,
            "    rate = 0.9 if BULK <= quantity else 1.0\n    return quantity * price * rate\n",
        ),
        "reduction subtracted": (
            _PRICING,
            "    total = quantity * price\n    reduction = total / 10 if quantity >= BULK else 0\n    return total - reduction\n",
        ),
        "rounded": (
            _PRICING,
            "    factor = {True: 0.9, False: 1}[quantity >= BULK]\n    return round(quantity * price * factor, 2)\n",
        ),
    },
    "slugs": {
        "two steps": (
            _SLUGS,
            '    spaced = re.sub(r"[^a-z0-9]+", " ", lowered)\n    return "-".join(spaced.split())\n',
        ),
        "edges by pattern": (
            _SLUGS,
            '    slug = re.sub(r"[^a-z0-9]+", "-", lowered)\n    return re.sub(r"^-+|-+$", "", slug)\n',
        ),
        "state machine": (
            _SLUGS,
            "    parts = []\n    pending = False\n    for letter in lowered:\n        if letter.isascii() and letter.isalnum():\n"
            '            if pending and parts:\n                parts.append("-")\n            parts.append(letter)\n            pending = False\n'
            '        else:\n            pending = True\n    return "".join(parts)\n',
        ),
    },
    "stats": {
        "sorted in the call": (
            _STATS,
            "    ordered = sorted(values)\n    low, high = (len(ordered) - 1) // 2, len(ordered) // 2\n"
            "    if low == high:\n        return ordered[low]\n    return (ordered[low] + ordered[high]) / 2\n",
        ),
        "heap": (
            _STATS,
            "    import heapq\n\n    half = heapq.nsmallest(len(values) // 2 + 1, values)\n"
            "    if len(values) % 2:\n        return half[-1]\n    return (half[-2] + half[-1]) / 2\n",
        ),
        "early error": (
            _STATS,
            '    if len(values) == 0:\n        raise ValueError("no values")\n    ordered = list(values)\n    ordered.sort()\n'
            "    middle, odd = len(ordered) // 2, len(ordered) % 2\n"
            "    return ordered[middle] if odd == 1 else sum(ordered[middle - 1 : middle + 1]) / 2\n",
        ),
    },
    "cutting": {
        "last added": (
            _CUTTING,
            "    whole = len(items) - len(items) % size\n    for start in range(0, whole, size):\n"
            "        found.append(items[start : start + size])\n    if whole != len(items):\n        found.append(items[whole:])\n",
        ),
        "recursion": (
            "    found = []\n" + _CUTTING + "    return found\n",
            "    if not items:\n        return []\n    return [items[:size], *chunks(items[size:], size)]\n",
        ),
        "collected": (
            _CUTTING,
            "    for number, item in enumerate(items):\n        if number % size == 0:\n            found.append([])\n"
            "        found[-1].append(item)\n",
        ),
    },
    "settings": {
        "list index": (
            _SETTINGS,
            '        parts = line.split("=")\n        name, value = parts[0], "=".join(parts[1:])\n',
        ),
        "checked first": (
            _SETTINGS,
            '        if "=" not in line:\n            raise ValueError(f"line without a sign: {line}")\n        name, _, value = line.partition("=")\n',
        ),
        "helper": (
            _SETTINGS,
            "        name, value = _pair(line)\n",
        ),
    },
    "bank": {
        "minimum": (
            _BANK,
            '        left = self.balance - amount\n        if min(left, 0) != 0:\n            raise ValueError(f"{amount} is more than {self.balance}")\n'
            "        self.balance = left\n        return left\n\n    def deposit",
        ),
        "named check": (
            _BANK,
            "        if not self.covers(amount):\n            raise ValueError(amount)\n        self.balance -= amount\n        return self.balance\n\n"
            "    def covers(self, amount):\n        return self.balance >= amount\n\n    def deposit",
        ),
        "error told apart": (
            _BANK,
            '        if amount <= 0:\n            raise ValueError("nothing to withdraw")\n        if amount > self.balance:\n'
            '            raise ValueError("the account does not cover it")\n        self.balance -= amount\n        return self.balance\n\n    def deposit',
        ),
    },
}
_HELPERS = {"settings": '\n\ndef _pair(line):\n    sign = line.find("=")\n    return line[:sign], line[sign + 1 :]\n'}
_TYPED = {
    "pricing": "def discount(quantity: int, price: float) -> float:",
    "slugs": "def slugify(text: str) -> str:",
    "stats": "def median(values: list[float]) -> float:",
    "cutting": "def chunks(items: list, size: int) -> list[list]:",
    "settings": "def parse(text: str) -> dict[str, str]:",
    "bank": "    def withdraw(self, amount: int) -> int:",
}


def later_honest(project: Project) -> dict[str, Files]:
    """Three repairs by hand for each project, and three kinds of change that people make beside a repair."""
    found: dict[str, Files] = {}
    for kind, (old, new) in _BY_HAND[project.name].items():
        assert project.source.count(old) == 1, (project.name, kind)
        repaired = project.source.replace(old, new)
        found[f"later: {kind}"] = {project.path: repaired + (_HELPERS.get(project.name, "") if "_pair(" in new else "")}
    repaired = next(iter(project.fixes.values()))
    found["later: with types"] = {project.path: repaired.replace(project.head, _TYPED[project.name])}
    folder = project.path.rpartition("/")[0]
    moved = f"{folder}/moved_{project.name}.py" if folder else f"moved_{project.name}.py"
    module = moved.removesuffix(".py").replace("/", ".")
    found["later: moved to a module of its own"] = {
        moved: repaired,
        project.path: f'"""Kept for those who import it from here."""\n\nfrom {module} import *  # noqa: F403\n',
    }
    check = (
        f'{project.indent}if {project.argument} is None:\n{project.indent}    raise TypeError("nothing was given")\n'
    )
    found["later: None refused"] = {project.path: repaired.replace(f"{project.head}\n", f"{project.head}\n{check}")}
    return found
