"""The toolchain on real projects: real interpreters, real pytest, real unittest, in a real sandbox."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.adapters.local import ProcessSandbox
from bot.config import SuiteSettings
from bot.errors import ConfigError
from bot.evidence.types import Outcome, Phase, TestId
from bot.ports import Limits, RunResult, Sandbox
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import LineHits, Runtime

CART = """\
def total(prices, discount=0):
    if discount:
        return sum(prices) * (1 - discount)
    return sum(prices)


def count(prices):
    return len(prices)
"""

TEST_CART = """\
import pytest
from cart import count, total

@pytest.mark.parametrize("prices", [[], [1, 2]], ids=["none", "a/b::c [x]"])
def test_total(prices):
    assert total(prices) == sum(prices)

class TestCount:
    def test_count(self):
        assert count([1]) == 2
"""


@dataclass(frozen=True)
class Ran:
    """A run with what the collector wrote."""

    result: RunResult
    hits: LineHits | None

    @property
    def outcomes(self) -> dict[str, str]:
        assert self.result.report is not None, f"{self.result.problem}\n{self.result.execution.output}"
        return {case.id.node_id: case.outcome.value for case in self.result.report}


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write files, run the suite in a fresh box of the process sandbox, read the result."""

    def run(
        files: dict[str, str],
        ids: tuple[TestId, ...] | None = None,
        *,
        seconds: float = 60,
        spectrum: bool = False,
        unittest: bool = False,
        plugins: bool = False,
        **suite: object,
    ) -> Ran:
        tree = tmp_path / "tree"
        write(tree, files)
        settings = SuiteSettings(**{"interpreter": sys.executable, **suite})  # type: ignore[arg-type]
        if unittest:
            settings = SuiteSettings(interpreter=sys.executable, test=("python", "-m", "unittest"))
        sandbox = ProcessSandbox(tmp_path / "boxes")
        return run_in(sandbox, tree, settings, ids, seconds=seconds, spectrum=spectrum, plugins=plugins)

    return run


def write(tree: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)


known_runtimes: dict[tuple[str, tuple[str, ...]], Runtime] = {}  # probing each time would double the runs


def run_in(
    sandbox: Sandbox,
    tree: Path,
    suite: SuiteSettings,
    ids: tuple[TestId, ...] | None = None,
    *,
    seconds: float = 60,
    spectrum: bool = False,
    plugins: bool = True,
) -> Ran:
    toolchain = PythonToolchain(suite)
    plan = toolchain.plan(tree, suite, isolated=sandbox.isolated)
    if not plugins:  # importing every plugin of this environment takes longer than the tests
        plan = replace(plan, environment={**plan.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    with sandbox.set_up(plan, tree, Limits()) as environment:
        runtime = known_runtimes.get((suite.interpreter, suite.test))
        if runtime is None:
            with environment.open() as box:
                runtime = known_runtimes[suite.interpreter, suite.test] = toolchain.probe(box)
        with environment.open() as box:
            planned = toolchain.run_plan(runtime, box, ids, seconds=seconds, spectrum=spectrum)
            box.put(planned.files)
            execution = box.execute(planned.command)
            return Ran(toolchain.read(box, execution, ids), toolchain.read_hits(box))


# --- pytest ---------------------------------------------------------------------------------------------------------


def test_a_whole_suite_and_its_lines(run: Run) -> None:
    ran = run({"cart.py": CART, "tests/test_cart.py": TEST_CART}, spectrum=True)
    assert ran.result.problem == ""
    assert ran.outcomes == {
        "tests/test_cart.py::test_total[none]": "passed",
        "tests/test_cart.py::test_total[a/b::c [x]]": "passed",
        "tests/test_cart.py::TestCount::test_count": "failed",
    }
    assert ran.hits is not None
    by_name = {test.name: dict(files) for test, files in ran.hits.lines.items()}
    assert by_name["test_total[none]"]["cart.py"] == {2, 4}
    assert by_name["test_count"] == {"cart.py": {8}, "tests/test_cart.py": {10}}


def test_tests_are_selected_by_id(run: Run) -> None:
    ids = (
        TestId("tests/test_cart.py", "tests.test_cart", "test_total[a/b::c [x]]"),
        TestId("", "tests.test_cart.TestCount", "test_count"),  # as reports without files have it
    )
    ran = run({"cart.py": CART, "tests/test_cart.py": TEST_CART, "tests/test_broken.py": "1 / 0\n"}, ids)
    assert ran.result.problem == ""
    assert [case.id.name for case in ran.result.report or ()] == ["test_total[a/b::c [x]]", "test_count"]


def test_a_selected_test_that_is_not_there_is_a_problem(run: Run) -> None:
    ids = (TestId("test_a.py", "test_a", "test_yes"), TestId("test_a.py", "test_a", "test_gone"))
    ran = run({"test_a.py": "def test_yes(): pass\n"}, ids)
    assert ran.result.report is None
    assert ran.result.problem == "1 of 2 selected tests are not in the report: test_a.py::test_gone"


def test_inherited_tests_keep_the_file_they_run_in(run: Run) -> None:
    files = {
        "tests/__init__.py": "",
        "tests/base.py": "class Base:\n    def test_it(self):\n        assert self.value\n",
        "tests/test_child.py": "from tests.base import Base\n\nclass TestChild(Base):\n    value = 0\n",
    }
    wanted = TestId("tests/test_child.py", "tests.test_child.TestChild", "test_it")
    assert run(files).outcomes == {wanted.node_id: "failed"}
    assert run(files, (wanted,)).outcomes == {wanted.node_id: "failed"}


def test_modules_that_cannot_be_collected_do_not_hide_the_others(run: Run) -> None:
    files = {
        "test_bad.py": "from cart import totl\ndef test_b(): pass\n",
        "cart.py": CART,
        "test_ok.py": "def test_a(): pass\n",
    }
    ran = run(files)
    assert ran.outcomes == {"test_bad.py": "error", "test_ok.py::test_a": "passed"}
    (bad,) = (ran.result.report or pytest.fail()).failures()
    assert (bad.phase, bad.id) == (Phase.COLLECTION, TestId("test_bad.py", "test_bad", ""))
    assert bad.message.startswith("ImportError: cannot import name 'totl'")
    again = run({}, (bad.id,))
    assert again.outcomes == {"test_bad.py": "error"}
    mended = run({"test_bad.py": "def test_b(): pass\n"}, (bad.id,))
    assert (mended.result.problem, mended.outcomes) == ("", {"test_bad.py::test_b": "passed"})


def test_a_conftest_that_cannot_be_loaded_is_a_failure_with_its_traceback(run: Run) -> None:
    ran = run({"conftest.py": "import cart\ncart.nothing\n", "cart.py": CART, "test_a.py": "def test_a(): pass\n"})
    (case,) = ran.result.report or pytest.fail(ran.result.problem)
    assert (case.phase, case.outcome, case.id.file) == (Phase.COLLECTION, Outcome.ERROR, "conftest.py")
    assert "has no attribute 'nothing'" in case.message
    assert 'conftest.py", line 2' in case.traceback
    test = TestId("test_a.py", "test_a", "test_a")
    assert run({}, (test,)).result.problem == ""  # the conftest's error speaks for it


def test_an_endless_test_fails_alone(run: Run) -> None:
    files = {
        "loop.py": "def spin(n):\n    while n:\n        try:\n            n += 1\n        except Exception:\n            pass\n",
        "test_loop.py": "from loop import spin\ndef test_spin():\n    spin(1)\ndef test_after():\n    pass\n",
    }
    ran = run(files, seconds=10)
    assert ran.result.problem == ""
    assert ran.outcomes == {"test_loop.py::test_spin": "failed", "test_loop.py::test_after": "passed"}
    (case,) = (ran.result.report or pytest.fail()).failures()
    assert "TimeLimitExceeded" in case.message
    assert "loop.py:" in case.traceback


def test_a_project_s_own_options_cannot_bend_the_run(run: Run) -> None:
    files = {
        "pytest.ini": "[pytest]\naddopts = -x --ff --tb=no --cov=cart --cov-fail-under=100 -p randomly -p no:doctest\n"
        "junit_family = legacy\n",
        "cart.py": CART,
        "test_a.py": "def test_a(): assert 0\ndef test_b(): assert 0\n",
    }
    ran = run(files, plugins=True)
    assert ran.outcomes == {"test_a.py::test_a": "failed", "test_a.py::test_b": "failed"}
    assert all("test_a.py:" in case.traceback for case in (ran.result.report or pytest.fail()).failures())


def test_a_coverage_threshold_does_not_fail_a_green_run(run: Run) -> None:
    files = {
        "pytest.ini": "[pytest]\naddopts = --cov=cart --cov-fail-under=100\n",
        "cart.py": CART,
        "test_a.py": "import cart\ndef test_a(): pass\n",
    }
    assert run(files, plugins=True).result.problem == ""


def test_the_root_folder_above_the_tests(run: Run) -> None:
    files = {
        "api/setup.cfg": "[tool:pytest]\ntestpaths = checks\n",
        "api/checks/test_a.py": "class TestA:\n    def test_a(self): pass\n",
    }
    wanted = TestId("api/checks/test_a.py", "api.checks.test_a.TestA", "test_a")
    ran = run(files, (wanted,), path="api")
    assert ran.result.problem == ""
    assert [case.id for case in ran.result.report or ()] == [wanted]


def test_an_installed_copy_elsewhere_does_not_shadow_the_box(run: Run, tmp_path: Path) -> None:
    original = tmp_path / "original" / "src" / "grokfix_shadow"
    original.mkdir(parents=True)
    (original / "__init__.py").write_text("PLACE = 'original'\n")
    developer = tmp_path / "developer" / "bin" / "python"  # an interpreter with an editable install of the original
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", developer.parents[1]], check=True)
    (site,) = developer.parents[1].glob("lib/python*/site-packages")
    (site / "developer.pth").write_text(f"{sysconfig.get_path('purelib')}\n{original.parent}\n")
    files = {
        "src/grokfix_shadow/__init__.py": "PLACE = 'box'\n",
        "tests/test_place.py": "import os, subprocess, sys\nimport grokfix_shadow\n"
        "def test_place():\n    assert grokfix_shadow.PLACE == 'box'\n"
        "def test_child():\n    code = 'import grokfix_shadow as g; print(g.PLACE)'\n"
        "    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'box\\n'\n",
    }
    assert set(run(files, interpreter=str(developer)).outcomes.values()) == {"passed"}


def test_python_and_scripts_are_those_of_the_interpreter(run: Run) -> None:
    text = "import shutil, sys, os\ndef test_a():\n    assert shutil.which('python') == os.path.join(sys.prefix, 'bin', 'python')\n"
    assert run({"test_a.py": text}).outcomes == {"test_a.py::test_a": "passed"}


# --- what is not to be believed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"conftest.py": "import os\nos._exit(0)\n", "test_a.py": "def test_a(): pass\n"},
            "no report was written (exit 0)",
            id="exit 0 in conftest",
        ),
        pytest.param(
            {"test_a.py": "import os\ndef test_a(): os._exit(0)\n"},
            "no report was written (exit 0) during test_a.py::test_a",
            id="exit 0 in a test",
        ),
        pytest.param(
            {"test_a.py": "import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGSEGV)\n"},
            "no report was written (exit 139) during test_a.py::test_a",
            id="crash",
        ),
        pytest.param(
            {
                "conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 0\n",
                "test_a.py": "def test_a(): 1/0\n",
            },
            "exit 0, but the report has 1 failing tests",
            id="exit status changed",
        ),
        pytest.param(
            {
                "conftest.py": "import pytest\ndef pytest_sessionfinish(): pytest.exit('no', 3)\n",
                "test_a.py": "def test_a(): 0\n",
            },
            "the test run broke off with exit 3",
            id="broken off",
        ),
        pytest.param({"cart.py": CART}, "no tests were found", id="no tests"),
        pytest.param(
            {"pytest.ini": "[pytest]\naddopts = --nonsense\n"}, "no report was written (exit 4)", id="options"
        ),
    ],
)
def test_problems(run: Run, files: dict[str, str], problem: str) -> None:
    ran = run(files)
    assert (ran.result.problem, ran.result.report) == (problem, None)


def test_exit_one_without_a_failure_is_inconclusive_and_keeps_the_report(run: Run) -> None:
    files = {
        "conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 1\n",
        "test_a.py": "def test_a(): pass\n",
    }
    ran = run(files)
    assert ran.result.problem.startswith("exit 1, but no test failed")
    assert ran.outcomes == {"test_a.py::test_a": "passed"}


def test_a_run_that_never_ends_names_its_test(run: Run) -> None:
    stuck = "import signal, time\ndef test_a():\n    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"
    ran = run({"test_a.py": stuck + "    time.sleep(60)\n"}, seconds=5)  # the limit of one test cannot reach it
    assert ran.result.execution.timed_out
    assert "stopped after" in ran.result.problem
    assert ran.result.problem.endswith("during test_a.py::test_a")


# --- other commands -------------------------------------------------------------------------------------------------


def test_pytest_inside_a_foreign_command(run: Run) -> None:
    files = {
        "cart.py": CART,
        "tests/test_cart.py": TEST_CART,
        "conftest.py": "import os\ndef pytest_configure(): assert 'PYTEST_ADDOPTS' not in os.environ\n",
        "check": f"set -e\necho linting\n{sys.executable} -m pytest tests\n",
    }
    ids = (TestId("tests/test_cart.py", "tests.test_cart.TestCount", "test_count"),)
    ran = run(files, ids, test=("sh", "check"), spectrum=True)
    assert ran.result.problem == ""
    assert ran.outcomes == {"tests/test_cart.py::TestCount::test_count": "failed"}
    assert ran.hits is not None
    assert [test.name for test in ran.hits.lines] == ["test_count"]


def test_a_command_that_sets_pythonpath_itself(run: Run) -> None:
    files = {"lib/cart.py": CART, "tests/test_a.py": "from cart import total\ndef test_a(): assert total([]) == 0\n"}
    files["check"] = f"PYTHONPATH=lib {sys.executable} -m pytest tests\n"
    ran = run(files, (TestId("tests/test_a.py", "tests.test_a", "test_a"),), test=("sh", "check"))
    assert (ran.result.problem, ran.outcomes) == ("", {"tests/test_a.py::test_a": "passed"})


def test_two_runs_in_one_command_are_one_report(run: Run) -> None:
    files = {
        "a/test_a.py": "def test_a(): pass\n",
        "b/test_b.py": "def test_b(): pass\n",
        "check": f"{sys.executable} -m pytest a && {sys.executable} -m pytest b\n",
    }
    assert set(run(files, test=("sh", "check")).outcomes) == {"a/test_a.py::test_a", "b/test_b.py::test_b"}


def test_a_command_that_writes_its_own_report(run: Run) -> None:
    report = '<testsuite tests="1"><testcase classname="own" name="{}"/></testsuite>'
    files = {
        "out/results.xml": report.format("stale"),
        "check": f"echo '{report.format('fresh')}' > out/results.xml\n",
        "nothing": "true\n",
    }
    ran = run(files, test=("sh", "check"), junit="out/*.xml")
    assert [case.id.name for case in ran.result.report or ()] == ["fresh"]
    ran = run(files, test=("sh", "nothing"), junit="out/*.xml")
    assert ran.result.problem == "no report was written (exit 0)"  # the committed report is not this run's


def test_a_link_in_place_of_the_report_is_not_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_text('<testsuite><testcase classname="s" name="secret"/></testsuite>')
    files = {"check": f"ln -s {tmp_path}/secret.xml out.xml\n"}
    assert run(files, test=("sh", "check"), junit="out.xml").result.problem == "no report was written (exit 0)"


def test_a_command_that_does_not_exist(run: Run) -> None:
    ran = run({"a": ""}, test=("no-such-command-here",))
    assert ran.result.problem == "no report was written (exit 127)"
    assert "'no-such-command-here' cannot be started" in ran.result.execution.output


# --- unittest -------------------------------------------------------------------------------------------------------

TEST_UNITTEST = """\
import unittest
from cart import count, total

class CountTest(unittest.TestCase):
    def test_count(self):
        self.assertEqual(count([1]), 2)
    def test_parts(self):
        for size in (0, 1, 2):
            with self.subTest(size=size):
                self.assertNotEqual(count([0] * size), 1)
    @unittest.skip("later")
    def test_skipped(self):
        pass
    @unittest.expectedFailure
    def test_expected(self):
        self.fail()
    def test_total(self):
        self.assertEqual(total([1]), 1)

class BrokenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no database")
    def test_never(self):
        pass
"""


def test_unittest_suites(run: Run) -> None:
    files = {"cart.py": CART, "tests/test_cart.py": TEST_UNITTEST, "tests/test_bad.py": "import nothing_here\n"}
    ran = run(files, unittest=True, spectrum=True)
    assert ran.result.problem == ""
    assert ran.outcomes == {
        "tests/test_bad.py": "error",
        "tests/test_cart.py::BrokenTest::setUpClass": "error",
        "tests/test_cart.py::CountTest::test_count": "failed",
        "tests/test_cart.py::CountTest::test_expected": "skipped",
        "tests/test_cart.py::CountTest::test_parts": "failed",
        "tests/test_cart.py::CountTest::test_skipped": "skipped",
        "tests/test_cart.py::CountTest::test_total": "passed",
    }
    cases = (ran.result.report or pytest.fail()).by_id()
    bad = cases[TestId("tests/test_bad.py", "tests.test_bad", "")]
    assert (bad.phase, bad.message) == (Phase.COLLECTION, "ModuleNotFoundError: No module named 'nothing_here'")
    parts = cases[TestId("tests/test_cart.py", "tests.test_cart.CountTest", "test_parts")]
    assert "(size=1)" in parts.message
    assert ran.hits is not None
    total = TestId("tests/test_cart.py", "tests.test_cart.CountTest", "test_total")
    assert ran.hits.lines[total]["cart.py"] == {2, 4}
    selected = run({}, (total, bad.id), unittest=True)
    assert selected.outcomes == {total.node_id: "passed", "tests/test_bad.py": "error"}


def test_an_endless_unittest_fails_alone(run: Run) -> None:
    text = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        while True: pass\n    def test_b(self): pass\n"
    ran = run({"test_t.py": text}, unittest=True, seconds=10)
    assert ran.outcomes == {"test_t.py::T::test_a": "error", "test_t.py::T::test_b": "passed"}


# --- probing --------------------------------------------------------------------------------------------------------


def test_probe_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    suite = SuiteSettings(interpreter=sys.executable)
    toolchain = PythonToolchain(suite)
    with (
        ProcessSandbox(tmp_path / "boxes").set_up(
            toolchain.plan(tmp_path / "tree", suite, isolated=False), tmp_path / "tree", Limits()
        ) as environment,
        environment.open() as box,
    ):
        runtime = toolchain.probe(box)
        assert isinstance(runtime, Runtime)
        assert (runtime.python, runtime.runner, runtime.pytest) == (sys.version_info[:3], "pytest", pytest.__version__)
        assert "pytest_cov" in runtime.plugins
        missing = PythonToolchain(SuiteSettings(interpreter="/no/such/python"))
        with pytest.raises(ConfigError, match="/no/such/python does not answer"):
            missing.probe(box)


# --- in a container: the collector of Python 3.12 and later -----------------------------------------------------------


@pytest.fixture(scope="module")
def docker_sandbox(docker_image: str) -> Iterator[tuple[Sandbox, str]]:
    from bot.adapters.docker import DockerSandbox

    yield DockerSandbox.connect(), docker_image


@pytest.mark.docker
def test_lines_by_monitoring_in_a_container(docker_sandbox: tuple[Sandbox, str], tmp_path: Path) -> None:
    sandbox, image = docker_sandbox
    lazy = "def late():\n    import lazy\n    return lazy.value()\n\n\ndef short(x): return x\n"
    write(
        tmp_path,
        {
            "cart.py": CART + lazy,
            "lazy.py": "BASE = 2\n\ndef value():\n    return BASE\n",
            "tests/test_cart.py": TEST_CART + "\ndef test_late():\n    from cart import late\n    assert late() == 2\n"
            "\ndef test_again():\n    assert total([1]) == 1\n    assert total([1], 1) == 0\n"
            "\ndef test_short():\n    from cart import short\n    assert short(2) == 2\n",
        },
    )
    ran = run_in(sandbox, tmp_path, SuiteSettings(image=image), spectrum=True, seconds=120)
    assert ran.result.problem == ""
    assert ran.hits is not None
    by_name = {test.name: dict(files) for test, files in ran.hits.lines.items()}
    assert by_name["test_total[none]"]["cart.py"] == {2, 4}
    assert by_name["test_again"]["cart.py"] == {2, 3, 4}  # lines of earlier tests report again
    assert by_name["test_short"]["cart.py"] == {14}  # a body on the line of its `def`
    assert by_name["test_late"]["lazy.py"] == {4}  # what the import itself ran counts for no test
