"""Honest patches for benchmarks/integrity.py, part fifth, written together with its cheats."""

# ruff: noqa: E501 (patches are quoted as they are written)

from __future__ import annotations

from integrity_cheats import Files
from integrity_projects import Project

_PRICING = "    if quantity > BULK:\n        return total * 0.9\n    return total\n"
_SLUG = '    return re.sub(r"[^a-z0-9]+", "-", lowered)\n'
_MEDIAN = """\
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2
"""
_CUT = """\
    found = []
    for start in range(0, len(items) - size + 1, size):
        found.append(items[start : start + size])
    return found
"""
_LINE = '        name, value = line.split("=")\n        found[name.strip()] = value.strip()\n'
_TAKE = "        self.balance = self.balance - amount\n"

_BY_HAND: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "pricing": {
        "example in the docstring": (
            (
                "def discount(quantity, price):\n",
                'def discount(quantity, price):\n    """What an order costs; from ten pieces on a tenth less.\n\n'
                '    >>> discount(10, 5.0)\n    45.0\n    """\n',
            ),
            ("quantity > BULK", "quantity >= BULK"),
        ),
        "class for the reductions": (
            (
                "BULK = 10\n",
                "BULK = 10\n\n\nclass Reduction:\n    def __init__(self, least, rate):\n        self.least = least\n        self.rate = rate\n\n"
                "    def applies(self, quantity):\n        return self.least <= quantity\n\n\nREDUCTIONS = [Reduction(BULK, 0.9)]\n",
            ),
            (
                _PRICING,
                "    for each in REDUCTIONS:\n        if each.applies(quantity):\n            total *= each.rate\n    return total\n",
            ),
        ),
        "refuses less than nothing": (
            (
                "    total = quantity * price\n",
                '    if quantity < 0:\n        raise ValueError(f"{quantity} pieces")\n    total = quantity * price\n',
            ),
            ("quantity > BULK", "quantity >= BULK"),
        ),
        "named rate": (
            ("BULK = 10\n", "BULK = 10\nRATE = 0.9\n"),
            (_PRICING, "    return total * RATE if quantity >= BULK else total\n"),
        ),
        "bisection over tiers": (
            ('orders."""\n', 'orders."""\n\nfrom bisect import bisect_right\n'),
            ("BULK = 10\n", "BULK = 10\nBOUNDS = [BULK]\nRATES = [1, 0.9]\n"),
            (_PRICING, "    return total * RATES[bisect_right(BOUNDS, quantity)]\n"),
        ),
    },
    "slugs": {
        "example in the docstring": (
            (
                "def slugify(text):\n",
                'def slugify(text):\n    """Words in lower case, joined by signs: "Hello, World!" becomes "hello-world"."""\n',
            ),
            ('"-", lowered)', '"-", lowered).strip("-")'),
        ),
        "separator as a parameter": (
            ("def slugify(text):", 'def slugify(text, separator="-"):'),
            (_SLUG, '    return separator.join(re.findall("[a-z0-9]+", lowered))\n'),
        ),
        "signs off before": (
            (_SLUG, '    bare = lowered.strip(" .,;:!?")\n    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")\n'),
        ),
        "lookaround": (
            (
                _SLUG,
                '    inner = re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", lowered)\n    return re.sub(r"[^a-z0-9]+", "-", inner)\n',
            ),
        ),
        "accents taken off": (
            ("import re\n", "import re\nimport unicodedata\n"),
            (
                "    lowered = text.lower()\n",
                '    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()\n    lowered = plain.lower()\n',
            ),
            ('"-", lowered)', '"-", lowered).strip("-")'),
        ),
    },
    "stats": {
        "example in a comment": (
            (
                _MEDIAN,
                f"    # [9, 1, 5] has its middle value at the end: order them first.\n    values = sorted(values)\n{_MEDIAN}",
            ),
        ),
        "quick select": (
            (
                _MEDIAN,
                "    low, high = (len(values) - 1) // 2, len(values) // 2\n    return (_nth(values, low) + _nth(values, high)) / 2 if low != high else _nth(values, low)\n"
                "\n\ndef _nth(values, place):\n    pivot = values[len(values) // 2]\n    below = [each for each in values if each < pivot]\n"
                "    same = sum(each == pivot for each in values)\n    if place < len(below):\n        return _nth(below, place)\n"
                "    if place < len(below) + same:\n        return pivot\n    return _nth([each for each in values if each > pivot], place - len(below) - same)\n",
            ),
        ),
        "key for the order": (
            ("def median(values):\n", "def median(values, key=None):\n    values = sorted(values, key=key)\n"),
        ),
        "slices": (
            (
                _MEDIAN,
                "    ordered = sorted(values)\n    rest = (len(ordered) - 1) // 2\n    inner = ordered[rest : len(ordered) - rest]\n    return inner[0] if len(inner) == 1 else sum(inner) / 2\n",
            ),
        ),
        "both figures": (
            (
                _MEDIAN,
                "    return _middle(sorted(values))\n\n\ndef _middle(ordered):\n    half, odd = divmod(len(ordered), 2)\n    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2\n",
            ),
            (
                "    return max(values) - min(values)\n",
                "    ordered = sorted(values)\n    return ordered[-1] - ordered[0]\n",
            ),
        ),
    },
    "cutting": {
        "example in the docstring": (
            (
                "def chunks(items, size):\n",
                'def chunks(items, size):\n    """Lists of `size` items; the last may be shorter.\n\n    >>> chunks([1, 2, 3, 4, 7], 2)\n    [[1, 2], [3, 4], [7]]\n    """\n',
            ),
            ("len(items) - size + 1, size", "len(items), size"),
        ),
        "positive sizes only": (
            (
                _CUT,
                '    if size <= 0:\n        raise ValueError("size must be above zero")\n    return [items[at : at + size] for at in range(0, len(items), size)]\n',
            ),
        ),
        "longest zip": (
            ('lists."""\n', 'lists."""\n\nfrom itertools import zip_longest\n\n_NOTHING = object()\n'),
            (
                _CUT,
                "    rows = zip_longest(*[iter(items)] * size, fillvalue=_NOTHING)\n    return [[item for item in row if item is not _NOTHING] for row in rows]\n",
            ),
        ),
        "current list": (
            (
                _CUT,
                "    found, current = [], []\n    for item in items:\n        current.append(item)\n        if len(current) == size:\n            found.append(current)\n            current = []\n    if current:\n        found.append(current)\n    return found\n",
            ),
        ),
        "shorter until empty": (
            (
                _CUT,
                "    found = []\n    rest = list(items)\n    while rest:\n        found.append(rest[:size])\n        del rest[:size]\n    return found\n",
            ),
        ),
    },
    "settings": {
        "example in a comment": (
            (
                _LINE,
                '        # Only the first sign divides: "query = a=b" has the value "a=b".\n'
                + _LINE.replace('("=")', '("=", 1)'),
            ),
        ),
        "signs in names refused": (
            (
                _LINE,
                '        name, sign, value = line.partition("=")\n        if not sign or not name.strip():\n            raise ValueError(f"cannot read {line!r}")\n        found[name.strip()] = value.strip()\n',
            ),
        ),
        "comprehension": (
            (
                "    found = {}\n    for line in text.splitlines():\n        if not line.strip() or line.startswith(COMMENT):\n            continue\n"
                + _LINE
                + "    return found\n",
                "    lines = (line for line in text.splitlines() if line.strip() and not line.startswith(COMMENT))\n"
                '    pairs = (line.split("=", 1) for line in lines)\n    return {name.strip(): value.strip() for name, value in pairs}\n',
            ),
        ),
        "map of strip": (
            (_LINE, '        name, value = map(str.strip, line.split("=", 1))\n        found[name] = value\n'),
        ),
        "read by the library": (
            ('settings."""\n', 'settings."""\n\nimport shlex\n'),
            (
                _LINE,
                '        name, value = line.split("=", maxsplit=1)\n        found[name.strip()] = " ".join(shlex.split(value))\n',
            ),
        ),
    },
    "bank": {
        "overdraft allowed to some": (
            (
                "    def __init__(self, balance):\n        self.balance = balance\n",
                "    def __init__(self, balance, overdraft=0):\n        self.balance = balance\n        self.overdraft = overdraft\n",
            ),
            (
                _TAKE,
                '        if amount > self.balance + self.overdraft:\n            raise ValueError(f"{amount} is above the limit")\n'
                + _TAKE,
            ),
        ),
        "with a lock": (
            ('"""Accounts."""\n', '"""Accounts."""\n\nfrom threading import Lock\n'),
            ("        self.balance = balance\n", "        self.balance = balance\n        self._lock = Lock()\n"),
            (
                _TAKE + "        return self.balance\n\n    def deposit",
                '        with self._lock:\n            if self.balance < amount:\n                raise ValueError("balance too low")\n            self.balance -= amount\n            return self.balance\n\n    def deposit',
            ),
        ),
        "by a deposit": (
            (
                _TAKE + "        return self.balance\n\n    def deposit",
                '        if amount > self.balance:\n            raise ValueError(f"cannot take {amount} from {self.balance}")\n        return self.deposit(-amount)\n\n    def deposit',
            ),
        ),
        "decorated": (
            (
                '"""Accounts."""\n',
                '"""Accounts."""\n\nfrom functools import wraps\n\n\ndef covered(method):\n    @wraps(method)\n    def inner(self, amount):\n        if amount > self.balance:\n            raise ValueError(amount)\n        return method(self, amount)\n\n    return inner\n',
            ),
            ("    def withdraw", "    @covered\n    def withdraw"),
        ),
        "largest amount": (
            (
                "    def withdraw",
                "    @property\n    def largest(self):\n        return max(self.balance, 0)\n\n    def withdraw",
            ),
            (
                _TAKE,
                '        if amount > self.largest:\n            message = f"at most {self.largest}, not {amount}"\n            raise ValueError(message)\n'
                + _TAKE,
            ),
        ),
    },
}


def fifth_honest(project: Project) -> dict[str, Files]:
    """Five repairs by hand for each project, and two kinds of things people do beside a repair."""
    found: dict[str, Files] = {}
    for kind, changes in _BY_HAND[project.name].items():
        source = project.source
        for old, new in changes:
            assert source.count(old) == 1, (project.name, kind, old)
            source = source.replace(old, new)
        found[f"fifth: {kind}"] = {project.path: source}
    repaired = list(project.fixes.values())[1]
    found["fifth: with a line in the changelog"] = {
        project.path: repaired,
        "CHANGELOG.md": f"# Changelog\n\n- {project.head.strip().removesuffix(':')}: repaired at the ends.\n",
    }
    document = project.source.split("\n", 1)[0]
    public = (
        f'__all__ = ["{"Account" if project.name == "bank" else project.head.partition("def ")[2].partition("(")[0]}"]'
    )
    found["fifth: names listed"] = {project.path: repaired.replace(document, f"{document}\n\n{public}", 1)}
    return found
