"""Conditions of a run, each seen from inside by tests that really run under them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.adapters.local import ProcessSandbox
from bot.config import SuiteOptions, SuiteSettings
from bot.errors import ConfigError
from bot.evidence.types import TestId
from bot.ports import Limits, RunResult
from bot.toolchains.python import PythonToolchain
from bot.toolchains.types import Conditions, Runtime, Touched

UNITTEST = ("python", "-m", "unittest")
ORDER = """\
import unittest

seen = []

class TestOrder(unittest.TestCase):
    def test_first(self):
        seen.append(1)
        assert len(seen) == 1

    def test_second(self):
        assert not seen
"""
FIRST = TestId.from_node_id("test_order.py::TestOrder::test_first")
SECOND = TestId.from_node_id("test_order.py::TestOrder::test_second")


@dataclass(frozen=True)
class Ran:
    result: RunResult
    touched: Touched

    @property
    def outcomes(self) -> dict[str, str]:
        assert self.result.report is not None, f"{self.result.problem}\n{self.result.execution.output}"
        return {case.id.name: case.outcome.value for case in self.result.report}


Run = Callable[..., Ran]
_runtimes: dict[tuple[str, ...], Runtime] = {}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write files and run them under conditions, in a fresh box of the process sandbox."""

    def run(
        files: dict[str, str],
        conditions: Conditions,
        ids: tuple[TestId, ...] | None = None,
        **settings: object,
    ) -> Ran:
        tree = tmp_path / "tree"
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        suite = SuiteSettings(interpreter=sys.executable, **settings)  # type: ignore[arg-type]
        toolchain = PythonToolchain(suite)
        plan = toolchain.plan(tree, suite, isolated=False)
        plan = replace(plan, environment={**plan.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        with ProcessSandbox(tmp_path / "boxes").set_up(plan, tree, Limits()) as environment:
            if suite.test not in _runtimes:
                with environment.open() as box:
                    _runtimes[suite.test] = toolchain.probe(box)
            with environment.open() as box:
                planned = toolchain.run_plan(
                    _runtimes[suite.test], box, ids, seconds=60, conditions=conditions, observe=True
                )
                box.put(planned.files)
                execution = box.execute(planned.command)
                return Ran(toolchain.read(box, execution, ids), toolchain.read_touched(box))

    return run


INSIDE = {
    "hash_seed": (Conditions(hash_seed=7), "import os; assert os.environ['PYTHONHASHSEED'] == '7'"),
    "threads": (Conditions(threads=1), "import os; assert os.environ['OMP_NUM_THREADS'] == '1'"),
    "zone": (
        Conditions(zone="America/New_York"),
        "import time; assert time.tzname[0] == 'EST'",
    ),
    "clock": (
        Conditions(clock="2028-02-29T12:00:00", zone="Asia/Tokyo"),
        "\n    ".join(
            (
                "import datetime, time, warnings",
                "from datetime import date, datetime as D",
                "assert D.now().strftime('%Y-%m-%d %H') == '2028-02-29 12'",
                "assert date.today() == date(2028, 2, 29) and type(D.now()) is D",
                "assert D.now(datetime.timezone.utc).hour == 3",
                "warnings.simplefilter('ignore')",
                "assert D.utcnow().hour == 3 and D.today().day == 29",
                "assert time.strftime('%d %H') == '29 12' and time.localtime().tm_year == 2028",
                "assert time.gmtime().tm_hour == 3 and time.ctime().endswith('2028')",
                "assert abs(time.time() - time.time_ns() / 1e9) < 1 and abs(time.time() - D.now().timestamp()) < 1",
                "assert time.localtime(0).tm_year == 1970 and time.clock_gettime(time.CLOCK_REALTIME) > 1.8e9",
                "class Held: clock = time.time",
                "assert Held().clock() > 1.8e9",
            )
        ),
    ),
    "one_core": (Conditions(one_core=True), "import os; assert len(os.sched_getaffinity(0)) == 1"),
    "open_files": (
        Conditions(open_files=40),
        "import resource; assert resource.getrlimit(resource.RLIMIT_NOFILE) == (40, 40)",
    ),
    "fresh_home": (
        Conditions(fresh_home=True),
        "import os, tempfile; home = os.path.expanduser('~'); "
        "assert os.listdir(home) == os.listdir(tempfile.gettempdir()) == [] and home != tempfile.gettempdir()",
    ),
    "ports": (
        Conditions(ports=(48765,)),
        "\n    ".join(
            (
                "import pytest, socket",
                "with pytest.raises(OSError, match='in use'), socket.socket() as held:",
                "    held.bind(('127.0.0.1', 48765))",
            )
        ),
    ),
    "directory_order": (
        Conditions(directory_order="reversed"),
        "\n    ".join(
            (
                "import glob, os, pathlib",
                "for name in 'cab': open('x_' + name, 'w').close()",
                "wanted = ['x_c', 'x_b', 'x_a']",
                "assert glob.glob('x_*') == [n for n in os.listdir() if n[:2] == 'x_'] == wanted",
                "assert [path.name for path in pathlib.Path('.').glob('x_*')] == wanted",
                "with os.scandir() as found: assert [e.name for e in found if e.name[:2] == 'x_'] == wanted",
                "assert [n for n in next(os.walk('.'))[2] if n[:2] == 'x_'] == wanted",
            )
        ),
    ),
    "turns_often": (
        Conditions(thread_turns="often"),
        "import sys; assert sys.getswitchinterval() < 1e-5 and sys.gettrace() is None",
    ),
    "turns_at_lines": (
        Conditions(thread_turns="lines"),
        "\n    ".join(
            (
                # The work of a few microseconds, which one thread does before another comes to its turn.
                "import threading",
                "steps, ready = [], threading.Barrier(2)",
                "def work(own):",
                "    ready.wait()",
                "    for _ in range(50):",
                "        steps.append(own)",
                "threads = [threading.Thread(target=work, args=(own,)) for own in (0, 1)]",
                "for thread in threads: thread.start()",
                "for thread in threads: thread.join()",
                "assert sum(one != other for one, other in zip(steps, steps[1:])) > 10, steps",
            )
        ),
    ),
    "turns_seldom": (Conditions(thread_turns="seldom"), "import sys; assert sys.getswitchinterval() == 1"),
    "offline": (
        Conditions(offline=True),
        "\n    ".join(
            (
                "import errno, pytest, socket, threading",
                "with pytest.raises(OSError) as failed: socket.create_connection(('192.0.2.1', 81), 5)",
                "assert failed.value.errno == errno.ENETUNREACH",
                "with pytest.raises(socket.gaierror): socket.getaddrinfo('somewhere.invalid', 80)",
                "own = socket.create_server(('127.0.0.1', 0))",
                "socket.create_connection(own.getsockname(), 5).close(); own.close()",
            )
        ),
    ),
}


@pytest.mark.parametrize("name", INSIDE)
def test_condition_is_seen_by_the_tests(run: Run, name: str) -> None:
    conditions, body = INSIDE[name]
    ran = run({"test_inside.py": f"def test_inside():\n    {body}\n"}, conditions)
    assert ran.outcomes == {"test_inside": "passed"}, ran.result.execution.output


@pytest.mark.parametrize(
    "test", [(), UNITTEST, ("sh", "-c", "python -m pytest")], ids=["pytest", "unittest", "command"]
)
def test_order_and_rounds(run: Run, test: tuple[str, ...]) -> None:
    files = {"test_order.py": ORDER}
    recorded = run(files, Conditions(), test=test)
    assert recorded.outcomes == {"test_first": "passed", "test_second": "failed"}
    turned = run(files, Conditions(in_order=True, repeat=2), (SECOND, FIRST), test=test)
    assert list(turned.outcomes.items()) == [("test_second", "passed"), ("test_first", "failed")]
    assert turned.touched.rounds == {SECOND: "pp", FIRST: "pf"}
    assert turned.touched.last == FIRST


def test_each_round_has_its_own_fixtures(run: Run) -> None:
    text = """\
        import pytest

        made = []

        @pytest.fixture(scope="module")
        def shared():
            made.append("shared")

        @pytest.fixture
        def own(shared):
            made.append("own")
            yield list(made)
            made.append("gone")

        @pytest.mark.parametrize("value", [1, 2])
        def test_own(own, tmp_path, value):
            assert own.count("shared") == 1 and own.count("own") == own.count("gone") + 1
            (tmp_path / "new").mkdir()

        class TestClass:
            def test_state(self):
                assert not hasattr(self, "before")
                self.before = 1
        """
    ran = run({"test_own.py": "\n".join(line[8:] for line in text.splitlines())}, Conditions(repeat=3))
    assert set(ran.outcomes.values()) == {"passed"}, ran.result.execution.output
    assert set(ran.touched.rounds.values()) == {"ppp"}


def test_random_seed(run: Run) -> None:
    body = """\
import random
def test_a():
    assert [random.random(), random.Random().random()] == {expected}
def test_b():
    assert random.random() == {expected}[0]
"""
    import random

    expected = [random.Random(5).random()] * 2
    ran = run({"test_random.py": body.replace("{expected}", repr(expected))}, Conditions(random_seed=5))
    assert ran.outcomes == {"test_a": "passed", "test_b": "passed"}


def test_share_of_the_cpu_stretches_work(run: Run) -> None:
    """Held back to a half, 0.4 s of work cannot be done in much less than 0.8 s."""
    body = """\
import time
def test_work():
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.4:
        pass
    assert time.monotonic() - began > 0.6
"""
    ran = run({"test_work.py": body}, Conditions(cpu_share=0.5))
    assert ran.outcomes == {"test_work": "passed"}


def test_exit_by_a_signal_is_told_through_the_parent(run: Run) -> None:
    body = "import os, signal\ndef test_killed():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    ran = run({"test_killed.py": body}, Conditions(load=1))
    assert ran.result.execution.exit_code == 137
    assert ran.result.report is None
    assert ran.touched.last == TestId.from_node_id("test_killed.py::test_killed")


def test_workers(run: Run) -> None:
    body = "import os\ndef test_{name}():\n    assert os.environ['PYTEST_XDIST_WORKER']\n"
    files = {f"test_{name}.py": body.replace("{name}", name) for name in "ab"}
    only = (TestId.from_node_id("test_b.py::test_b"),)
    ran = run(files, Conditions(workers=2), only, test=("python", "-m", "pytest", "-p", "xdist"))
    assert ran.outcomes == {"test_b": "passed"}


BESIDE = """\
import os, pathlib, tempfile, time
PLACE = pathlib.Path(tempfile.gettempdir())
def test_busy():
    with open(PLACE / "rounds", "a") as rounds:
        rounds.write("x")
def test_not_asked_for():
    (PLACE / "asked").touch()
def test_looked_at():
    ends = time.monotonic() + 30
    while not (PLACE / "rounds").exists() or (PLACE / "rounds").stat().st_size < 40:
        assert time.monotonic() < ends
        time.sleep(0.01)
    assert not (PLACE / "asked").exists()
"""
LOOKED_AT = (TestId.from_node_id("test_beside.py::test_looked_at"),)


def test_neighbours_run_other_tests_beside_it(run: Run) -> None:
    conditions = Conditions(neighbours=2, beside=("test_beside.py::test_busy",), repeat=3)
    ran = run({"test_beside.py": BESIDE}, conditions, LOOKED_AT, test=("python", "-m", "pytest", "-p", "xdist"))
    assert ran.outcomes == {"test_looked_at": "passed"}, ran.result.execution.output
    assert ran.touched.rounds == {LOOKED_AT[0]: "ppp"}


def test_neighbours_that_have_nothing_to_run_are_said(run: Run) -> None:
    conditions = Conditions(neighbours=1, beside=("test_beside.py::test_gone",))
    ran = run({"test_beside.py": BESIDE}, conditions, LOOKED_AT, test=("python", "-m", "pytest", "-p", "xdist"))
    assert "the tests beside it could not be run" in ran.result.problem


def test_observer(run: Run) -> None:
    body = """\
import socket
def test_reach():
    for where in [("192.0.2.7", 9), ("127.0.0.1", 9), ("localhost", 9)]:
        with socket.socket() as one:
            one.settimeout(0.01)
            try:
                one.connect(where)
            except OSError:
                pass
    with socket.socket() as one:
        one.bind(("127.0.0.1", 48766))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
    open("x", "w").close()
    {threads}
"""
    ran = run({"test_reach.py": body.replace("{threads}", "")}, Conditions())
    assert ran.touched.hosts == ("192.0.2.7:9",)
    assert ran.touched.ports == (48766,)
    assert not ran.touched.threads
    threads = "import threading; threading.Thread(target=print).start()"
    assert run({"test_reach.py": body.replace("{threads}", threads)}, Conditions()).touched.threads


@pytest.mark.parametrize(
    ("conditions", "said"),
    [(Conditions(zone="Mars/Olympus"), "time zone 'Mars/Olympus'"), (Conditions(open_files=10**7), "open files")],
)
def test_what_the_box_cannot_do_is_said(run: Run, conditions: Conditions, said: str) -> None:
    ran = run({"test_a.py": "def test_a(): pass\n"}, conditions)
    assert ran.result.report is None
    assert said in ran.result.problem


def test_command_that_shuts_the_plugin_out(run: Run) -> None:
    ran = run({"test_a.py": "def test_a(): pass\n"}, Conditions(in_order=True), test=("sh", "-c", "exit 1"))
    assert "keeps grokfix's plugin out" in ran.result.problem


def test_options_of_a_foreign_command(run: Run) -> None:
    script = """\
import sys
ok = sys.argv[1:] == ["--seed=9", "-j3"]
open("out.xml", "w").write(f'<testsuite><testcase classname="a" name="{"good" if ok else "bad"}"/></testsuite>')
"""
    own = SuiteOptions(shuffle=("--seed={seed}",), workers=("-j{workers}",))
    told = {"test": ("python", "run.py"), "junit": "out.xml", "triage": own}
    ran = run({"run.py": script}, Conditions(random_seed=9, workers=3), **told)
    assert ran.outcomes == {"good": "passed"}
    with pytest.raises(ConfigError, match="no fixed order"):
        run({"run.py": script}, Conditions(in_order=True), **told)
