"""A desk over a real repository: a small shop with one bug, its history, and a bench that is a fake or runs for real."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.diagnose.types import Evidence
from bot.evidence.failures import read_failure
from bot.evidence.types import Cluster, Outcome, TestCase, TestId, TestReport
from bot.ports import JsonValue, Limits, SetUp, ToolCall
from bot.propose.model.tools.registry import call
from bot.propose.model.tools.types import Desk, Submission, Surrender, ToolResult
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import Runtime
from bot.verify.bench import SandboxBench
from bot.workspace.checkout import Checkout
from bot.workspace.git import Repository
from bot.workspace.history import RepositoryHistory
from tests import repositories
from tests.fakes import FakeClock, FakeEnvironment, FakeToolchain, MemoryRecorder, World

CART = '''\
"""The cart."""

RATE = 0.2


class Cart:
    """Items and their prices."""

    def __init__(self, prices):
        self.prices = list(prices)

    def total(self):
        """Sum of the prices with tax."""
        return sum(self.prices) * (1 - RATE)

    async def send(self, to: str, *, twice: bool = False) -> int:
        return await to.send(self.total())


def receipt(cart):
    return f"total: {cart.total()}"
'''
TESTS = """\
import pytest

from shop.cart import Cart, receipt


@pytest.mark.parametrize("price", [10, 20])
def test_total(price):
    assert Cart([price]).total() == price * 1.2


def test_receipt():
    assert receipt(Cart([])).startswith("total")
"""
FIX = """\
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -13,2 +13,2 @@
         \"\"\"Sum of the prices with tax.\"\"\"
-        return sum(self.prices) * (1 - RATE)
+        return sum(self.prices) * (1 + RATE)
"""
NEW_TEST: Mapping[str, JsonValue] = {
    "path": "tests/test_cart_tax.py",
    "source": "from shop.cart import Cart\n\n\ndef test_tax_is_added():\n    assert Cart([100]).total() == 120\n",
    "explanation": "tax is added",
}
FILES: Mapping[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/cart.py": CART,
    "tests/test_cart.py": TESTS,
    "conftest.py": "",
    "web/app.js": "export function total(items) {\n  return items.length\n}\n",
    "README.md": "# Shop\n\nCall `total` for the total.\n",
    "data/logo.png": b"\x89PNG\0\0\0",
}
FAILING = tuple(f"tests/test_cart.py::test_total[{price}]" for price in (10, 20))
PASSING = "tests/test_cart.py::test_receipt"


def case(node: str, outcome: Outcome = Outcome.FAILED) -> TestCase:
    return TestCase(TestId.from_node_id(node), outcome, 0.01, "AssertionError: assert 8.0 == 12.0")


def evidence(more: tuple[str, ...] = ()) -> Evidence:
    failing = tuple(case(node) for node in FAILING)
    failures = tuple(read_failure(each, lambda path: True) for each in failing)
    report = TestReport((*failing, *(TestCase(TestId.from_node_id(node), Outcome.PASSED) for node in (PASSING, *more))))
    return Evidence(Cluster(failures[0].fingerprint, failures), report, "", (), ())


def repository(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Repository:
    """The shop with three commits."""
    root = repositories.make(folder / "origin", {**FILES, "shop/cart.py": CART.replace("1 - RATE", "1 + RATE")})
    if files:
        repositories.commit(root, files, "more files")
    repositories.commit(root, {"shop/cart.py": CART}, "Take the tax off\n\nBecause the docs say so.\n")
    scratch = folder / "scratch"
    scratch.mkdir()
    return Repository.open(root, scratch)


def fake_desk(
    folder: Path,
    files: Mapping[str, str | bytes] | None = None,
    *,
    world: World = lambda overlay, run: {},
    known: tuple[str, ...] = (),
    protect: tuple[str, ...] = (),
    redact: Callable[[str], str] = str,
) -> Desk:
    """A desk whose tests say what `world` says; everything but the runs is real."""
    opened = repository(folder, files)
    toolchain = FakeToolchain(world)
    bench = _bench(opened.checkout(), FakeEnvironment(), toolchain, Runtime("python", (3, 13, 0), "pytest", "9.0"))
    return Desk(
        bench,
        evidence(known),
        runtime=bench.runtime,
        history=RepositoryHistory(opened),
        protect=protect,
        redact=redact,
    )


def again(desk: Desk) -> Desk:
    """A new desk at the same bench: nothing is drafted there."""
    return Desk(
        desk.bench,
        desk.evidence,
        runtime=desk.runtime,
        history=desk.history,
        protect=desk.protect,
        redact=desk.redact,
    )


@contextmanager
def real_desk(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Iterator[Desk]:
    """A desk whose runs are processes of this machine."""
    opened = repository(folder, files)
    checkout = opened.checkout()
    toolchain = PythonToolchain(SuiteSettings(interpreter=sys.executable, seconds=300))
    with ProcessSandbox(folder / "boxes").set_up(SetUp(image=""), checkout.path, Limits()) as environment:
        with environment.open() as box:
            runtime = toolchain.probe(box)
        bench = SandboxBench(
            environment=environment,
            toolchain=toolchain,
            runtime=runtime,
            checkout=checkout,
            suite=toolchain.suite,
            recorder=MemoryRecorder(),
            clock=SystemClock(),
            seconds_left=lambda: 300.0,
        )
        yield Desk(bench, evidence(), runtime=runtime, history=RepositoryHistory(opened))


def _bench(
    checkout: Checkout, environment: FakeEnvironment, toolchain: FakeToolchain, runtime: Runtime
) -> SandboxBench:
    return SandboxBench(
        environment=environment,
        toolchain=toolchain,
        runtime=runtime,
        checkout=checkout,
        suite=SuiteSettings(),
        recorder=MemoryRecorder(),
        clock=FakeClock(),
        seconds_left=lambda: 100.0,
    )


def ask(desk: Desk, tool: str, /, **arguments: JsonValue) -> ToolResult:
    """Call a tool as the model does; it must answer with a result."""
    result = call(ToolCall("call-1", tool, json.dumps(arguments)), desk)
    assert isinstance(result, ToolResult)
    return result


def end(desk: Desk, tool: str, /, **arguments: JsonValue) -> Submission | Surrender:
    """Call a tool that ends the conversation."""
    result = call(ToolCall("call-1", tool, json.dumps(arguments)), desk)
    assert not isinstance(result, ToolResult), result.text
    return result
