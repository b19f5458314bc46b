"""The search for real: small projects with real bugs, in the process sandbox, from locations to a proposal."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.diagnose.types import Evidence, Location
from bot.evidence.types import Cluster, Failure, TestId, TestReport
from bot.patch.types import Applied, Refusal
from bot.ports import Box, Environment, Limits, Overlay, RunResult, Sandbox, SetUp
from bot.propose.search import engine
from bot.propose.search.engine import SearchProposer
from bot.propose.search.types import Candidate, Edit
from bot.propose.search.validate import Plan, Trial, TrialOutcome, Validator, Work
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import Runtime
from bot.verify.types import Failing, Unproven

TOOLCHAIN = PythonToolchain(SuiteSettings(interpreter=sys.executable))
UNITTEST = PythonToolchain(SuiteSettings(interpreter=sys.executable, test=("python", "-m", "unittest")))


class Workbench:
    """`ports.Bench` over the process sandbox: what the search uses of it."""

    def __init__(self, tree: Path, environment: Environment, toolchain: PythonToolchain, seconds: float) -> None:
        self.tree = tree
        self.toolchain = toolchain
        self.environment = environment
        with self.environment.open() as box:
            self.runtime: Runtime = toolchain.probe(box)
        self._until = time.monotonic() + seconds

    def try_patch(self, text: str) -> Applied | Refusal:
        raise NotImplementedError("the search proposes; it does not apply")

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        with self.environment.open(overlay) as box:
            plan = self.toolchain.run_plan(self.runtime, box, ids, seconds=30)
            box.put(plan.files)
            return self.toolchain.read(box, box.execute(plan.command), ids)

    def open(self, overlay: Overlay | None = None) -> Box:
        return self.environment.open(overlay)

    def seconds_left(self) -> float:
        return self._until - time.monotonic()

    def evidence(self, path: str) -> Evidence:
        """All failing tests as one cluster, every line of `path` as suspicious as the next."""
        report = self.run(None).report
        assert isinstance(report, TestReport) and report.failures()
        failures = tuple(Failure(case, "Error", "", (), "f") for case in report.failures())
        lines = range(1, len((self.tree / path).read_text().splitlines()) + 1)
        locations = tuple(Location(path, line, "", 0.5, "") for line in lines)
        return Evidence(Cluster("f", failures), report, "", locations, ())

    def search(self, **options: int) -> SearchProposer:
        most, jobs = options.get("max_candidates", 3000), options.get("jobs", 2)
        return SearchProposer(self.toolchain, self.runtime, share_seconds=None, max_candidates=most, jobs=jobs)

    def check(self, proposal: Proposal | NoProposal) -> Proposal:
        """The patch makes the whole suite green; the new test is red before and green after."""
        assert isinstance(proposal, Proposal), proposal
        overlay: dict[str, bytes | None] = {}
        test = proposal.new_test
        if test is not None:
            assert not (self.tree / test.path).exists()
            overlay[test.path] = test.source.encode()
            before = self.run((TestId.from_node_id(test.path),), overlay)
            assert before.report is None or before.report.failures(), test.source
        patched = self.environment.name and apply(self.tree, proposal.patch_text)
        after = self.run(None, {**overlay, **patched})
        assert after.report is not None and not after.report.failures(), after
        return proposal


def apply(tree: Path, text: str) -> dict[str, bytes | None]:
    path = text.split("\n")[1].removeprefix("+++ b/")
    original = (tree / path).read_bytes()
    try:
        subprocess.run(["git", "apply", "-"], cwd=tree, input=text.encode(), check=True)
        return {path: (tree / path).read_bytes()}
    finally:
        (tree / path).write_bytes(original)


Make = Callable[..., Workbench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Workbench] = []

    def bench(
        files: Mapping[str, str],
        toolchain: PythonToolchain = TOOLCHAIN,
        seconds: float = 60,
        sandbox: Sandbox | None = None,
        image: str = "",
    ) -> Workbench:
        tree = tmp_path / "tree"
        for path, text in files.items():
            file = tree / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        environment: Environment = (sandbox or ProcessSandbox(tmp_path / "scratch")).set_up(
            SetUp(image), tree, Limits()
        )
        made.append(Workbench(tree, environment, toolchain, seconds))
        return made[-1]

    yield bench
    for one in made:
        one.environment.close()


FUNCTION = {
    "shop.py": """\
        def total(prices, discount=0):
            result = 0
            for index in range(1, len(prices)):
                result += prices[index]
            return result - discount
    """,
    "test_shop.py": """\
        from shop import total

        def test_total():
            assert total([3, 4, 5]) == 12

        def test_empty():
            assert total([]) == 0

        def test_discount():
            assert total([0, 5], discount=2) == 3
    """,
}


def test_function(make: Make) -> None:
    bench = make(FUNCTION)
    proposal = bench.check(bench.search().propose(bench.evidence("shop.py"), (), bench))
    assert "shop.py:3" in proposal.diagnosis.root_cause
    assert proposal.new_test is not None
    assert proposal.new_test.path == "test_total_regression.py"
    assert "assert total([1]) == 1" in proposal.new_test.source


def test_method_with_constructor(make: Make) -> None:
    bench = make(
        {
            "src/pack/__init__.py": "",
            "src/pack/stack.py": """\
                class Stack:
                    def __init__(self, items):
                        self.items = list(items)

                    def peek(self, depth):
                        return self.items[len(self.items) - depth]
            """,
            "tests/conftest.py": "",
            "tests/test_stack.py": """\
                from pack.stack import Stack

                def test_peek():
                    stack = Stack([7, 8, 9])
                    assert stack.peek(0) == 9
                    assert stack.peek(2) == 7
            """,
        }
    )
    proposal = bench.check(bench.search().propose(bench.evidence("src/pack/stack.py"), (), bench))
    assert proposal.new_test is not None
    assert "Stack([0]).peek(0) == 0" in proposal.new_test.source


def test_endless_loop(make: Make) -> None:
    bench = make(
        {
            "halve.py": """\
                def halvings(n):
                    count = 0
                    while n > 0:
                        n = (n + 1) // 2
                        count += 1
                    return count
            """,
            "test_halve.py": """\
                from halve import halvings

                def test_eight():
                    assert halvings(8) == 3

                def test_six():
                    assert halvings(6) == 3

                def test_one():
                    assert halvings(1) == 0
            """,
        },
        PythonToolchain(SuiteSettings(interpreter=sys.executable, seconds=4.0)),
    )
    proposal = bench.search().propose(bench.evidence("halve.py"), (), bench)
    assert isinstance(proposal, Proposal), proposal
    assert "halve.py:3" in proposal.diagnosis.root_cause
    assert proposal.new_test is None or "did not end" in proposal.new_test.explanation


def test_constant_takes_a_fresh_import(make: Make) -> None:
    bench = make(
        {
            "rates.py": "RATES = {'low': 5, 'high': 10}\nFREE = 99\n\n\ndef is_free(total):\n    return total >= FREE\n",
            "test_rates.py": """\
                from rates import FREE, is_free

                def test_free():
                    assert is_free(100) and not is_free(99) and FREE == 100
            """,
        }
    )
    proposal = bench.check(bench.search().propose(bench.evidence("rates.py"), (), bench))
    assert "FREE = 100" in proposal.patch_text
    assert proposal.new_test is None and "existing failing test stands as the proof" in proposal.why_no_test


def test_programs_started_by_tests_see_the_candidate(make: Make) -> None:
    bench = make(
        {
            "tool.py": "import sys\n\n\ndef main(words):\n    print(len(words) - 1)\n\n\nmain(sys.argv[1:])\n",
            "test_tool.py": """\
                import subprocess, sys

                def test_count():
                    out = subprocess.run([sys.executable, "tool.py", "a", "b"], capture_output=True, text=True).stdout
                    assert out == "2\\n"
            """,
        }
    )
    proposal = bench.check(bench.search().propose(bench.evidence("tool.py"), (), bench))
    assert "len(words)" in proposal.patch_text


UNITTEST_PROJECT = {
    "shop.py": FUNCTION["shop.py"],
    "tests/__init__.py": "",
    "tests/test_shop.py": """\
        import unittest
        from shop import total

        class TotalTest(unittest.TestCase):
            def test_total(self):
                self.assertEqual(total([3, 4, 5]), 12)

            def test_empty(self):
                self.assertEqual(total([]), 0)
    """,
}


def test_unittest_project(make: Make) -> None:
    bench = make(UNITTEST_PROJECT, UNITTEST)
    assert bench.runtime.runner == "unittest"
    proposal = bench.check(bench.search().propose(bench.evidence("shop.py"), (), bench))
    assert proposal.new_test is not None and "self.assertEqual(total([1]), 1)" in proposal.new_test.source


@pytest.mark.docker
def test_in_a_container(make: Make, docker_image: str) -> None:
    from bot.adapters.docker import DockerSandbox

    sandbox = DockerSandbox.connect()
    bench = make(UNITTEST_PROJECT, PythonToolchain(), 120, sandbox, docker_image)
    proposal = bench.check(bench.search().propose(bench.evidence("shop.py"), (), bench))
    assert proposal.new_test is not None and "self.assertEqual(total([1]), 1)" in proposal.new_test.source


def test_module_that_cannot_be_imported(make: Make) -> None:
    bench = make(
        {
            "names.py": "FIRST = 'a'\nSECOND = 'b'\nBOTH = FIRST - SECOND\n",
            "test_names.py": "from names import BOTH\n\n\ndef test_both():\n    assert BOTH == 'ab'\n",
        }
    )
    bench.check(bench.search().propose(bench.evidence("names.py"), (), bench))


def test_passing_tests_that_lean_on_their_order_do_not_veto(make: Make) -> None:
    """The slow one passes before the quick one only, the last one after neither: as the suite runs them, and alone."""
    bench = make(
        {
            "shop.py": """\
                seen = []

                def first(items):
                    return items[1]

                def note(item):
                    seen.append(item)
                    return list(seen)
            """,
            "test_shop.py": """\
                import time
                import shop

                def test_slow_before_quick():
                    time.sleep(0.05)
                    assert shop.note(1) == [1]

                def test_quick():
                    assert shop.note(2)[-1] == 2
                    shop.seen.append(3)

                def test_clears():
                    shop.seen.clear()

                def test_alone_or_after_the_clearing():
                    assert shop.note(4) == [4]

                def test_first():
                    assert shop.first([5, 6]) == 5
            """,
        }
    )
    proposal = bench.check(bench.search().propose(bench.evidence("shop.py"), (), bench))
    assert "shop.py:4" in proposal.diagnosis.root_cause


def test_goes_on_after_a_failed_attempt(make: Make) -> None:
    bench = make(
        {
            "clamp.py": "def clamp(n, low, high):\n    return max(low, max(n, high))\n",
            "test_clamp.py": "from clamp import clamp\n\n\ndef test_clamp():\n    assert clamp(5, 1, 3) == 3\n",
        }
    )
    evidence = bench.evidence("clamp.py")
    search = bench.search()
    seen = set()
    attempts: tuple[Attempt, ...] = ()
    for _ in range(3):
        proposal = search.propose(evidence, attempts, bench)
        assert isinstance(proposal, Proposal), proposal
        assert proposal.patch_text not in seen
        seen.add(proposal.patch_text)
        attempts += (Attempt(proposal, Failing("the suite breaks", None, ())),)  # type: ignore[arg-type]


def test_an_unproven_test_does_not_cost_the_fix(make: Make) -> None:
    bench = make(FUNCTION)
    evidence = bench.evidence("shop.py")
    search = bench.search()
    first = search.propose(evidence, (), bench)
    assert isinstance(first, Proposal) and first.new_test is not None
    attempt = Attempt(first, Unproven("the new test passes without the fix", None, ()))  # type: ignore[arg-type]
    second = search.propose(evidence, (attempt,), bench)
    assert isinstance(second, Proposal)
    assert second.patch_text == first.patch_text and second.new_test is None and second.why_no_test


def test_nothing_found_says_how_many_were_tried(make: Make) -> None:
    bench = make(
        {
            "poem.py": "def poem():\n    return 'roses'\n",
            "test_poem.py": "from poem import poem\n\n\ndef test_poem():\n    assert poem() == open('poem.txt').read()\n",
        }
    )
    nothing = bench.search().propose(bench.evidence("poem.py"), (), bench)
    assert isinstance(nothing, NoProposal) and nothing.reason is StopReason.NO_CANDIDATE
    assert "search tried" in nothing.message


def test_budgets(make: Make) -> None:
    bench = make(FUNCTION)
    evidence = bench.evidence("shop.py")
    few = bench.search(max_candidates=0).propose(evidence, (), bench)
    assert isinstance(few, NoProposal) and few.reason is StopReason.BUDGET
    late = SearchProposer(TOOLCHAIN, bench.runtime, share_seconds=0.0, max_candidates=9, jobs=1)
    assert isinstance(late.propose(evidence, (), bench), NoProposal)


HOSTILE = {
    "leaves": "import os; os._exit(0)",
    "raises SystemExit": "raise SystemExit(0)",
    "stops the session": "import pytest; pytest.exit('enough')",
    "skips": "import pytest; pytest.skip('no')",
    "kills its group": "import os, signal; os.killpg(0, signal.SIGKILL)",
    "kills its parent": "import os, signal; os.kill(os.getppid(), signal.SIGTERM)",
    "floods": "[print('x' * 10_000) for _ in range(200)]; assert 0",
    "recurses": "f = lambda: f(); f()",
    "lies on every pipe": (
        "import os\\n        for d in range(3, 60):\\n            try:\\n                os.write(d, b'{}\\\\n')\\n"
        "            except OSError:\\n                pass\\n        assert 0"
    ),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_code_under_test_is_not_plausible(make: Make, body: str) -> None:
    """A candidate that makes the test behave so is no fix, and the one after it is still tried."""
    text = "def f():\n    return 1\n"
    bench = make(
        {"subject.py": text, "test_subject.py": "from subject import f\n\n\ndef test_f():\n    assert f() == 2\n"}
    )
    start, end = text.index("return 1"), len(text) - 1
    bad = Candidate("subject.py", 2, (Edit(start, end, body.encode().decode("unicode_escape")),), "r", 1.0, "")
    fix = Candidate("subject.py", 2, (Edit(start, end, "return 2"),), "r", 1.0, "")
    plan = Plan((TestId.from_node_id("test_subject.py::test_f"),), 1, (0.5,), 10.0)
    with Validator(TOOLCHAIN, bench.runtime, bench, 1) as validator:
        trials = {trial.candidate: trial for trial in validator.validate(plan, [Work(bad, ()), Work(fix, ())], 20)}
        if body != HOSTILE["kills its parent"]:
            assert trials[fix].outcome is TrialOutcome.PLAUSIBLE
        trial: Trial | None = trials.get(bad)
        assert trial is None or trial.outcome is not TrialOutcome.PLAUSIBLE


def test_a_candidate_that_kills_the_worker_is_left_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "def f():\n    return 1\n"
    bench = make(
        {"subject.py": text, "test_subject.py": "from subject import f\n\n\ndef test_f():\n    assert f() == 2\n"}
    )
    start, end = text.index("return 1"), len(text) - 1
    bodies = [HOSTILE["kills its parent"], "return 3", "return 2"]
    candidates = [Candidate("subject.py", 2, (Edit(start, end, body),), "rule", 1.0, body) for body in bodies]
    monkeypatch.setattr(engine, "generate", lambda _locations, _read: iter(candidates))
    proposal = bench.search(jobs=1).propose(bench.evidence("subject.py"), (), bench)
    assert isinstance(proposal, Proposal), proposal
    assert "return 2" in proposal.patch_text
