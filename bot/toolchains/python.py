"""Python's toolchain: pytest where there is one, unittest otherwise, any other command as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.config import SuiteSettings
from bot.errors import ConfigError
from bot.evidence.text import head_tail, plain
from bot.evidence.types import TestId
from bot.ports import Box, Command, Execution, RunResult, SetUp
from bot.toolchains import box_files
from bot.toolchains import conditions as under
from bot.toolchains.commands import Foreign, Pytest, TestCommand, Unittest, read_command
from bot.toolchains.detect import plan_set_up
from bot.toolchains.reading import read_line_hits, read_run
from bot.toolchains.touched import read_touched
from bot.toolchains.types import PLAIN, Conditions, LineHits, RunPlan, Runtime, Touched

_PROBE_SECONDS = 60.0
_OLDEST = (3, 8, 0)
_TEST_SHARE = 0.25
"""One test may take this share of its run's time: an endless loop then fails alone instead of ending the whole run."""
_TRACE_SHARE = 0.2
"""Share of a run's time that may go into tracing lines before Python 3.12, where tracing is slow."""


@dataclass(frozen=True, slots=True)
class PythonToolchain:
    """Implements bot.toolchains.types.Toolchain for one suite.

    suite: its `test`, `junit`, `path` and `interpreter` shape every run; `plan` takes the settings it is given.
    """

    suite: SuiteSettings = field(default_factory=SuiteSettings)
    name: str = "python"

    def plan(self, tree: Path, suite: SuiteSettings, *, isolated: bool) -> SetUp:
        """Image, set-up and cache-key files for the checkout at `tree` (see detect.plan_set_up)."""
        return plan_set_up(tree, suite, isolated=isolated)

    def probe(self, box: Box) -> Runtime:
        """Ask the box's interpreter what it has; ConfigError where it is missing, too old or without a runner."""
        interpreter = self.suite.interpreter or "python"
        box.put(box_files.sources())
        command = Command((interpreter, f"{box.control}/{box_files.LAUNCH}", "probe"), _PROBE_SECONDS, _environment())
        execution = box.execute(command)
        told = box_files.read_probe(box) if execution.exit_code == 0 else None
        if told is None:
            said = head_tail(plain(execution.output).strip(), 600) or "(no output)"
            raise ConfigError(
                f"{interpreter} does not answer in the sandbox (exit {execution.exit_code}): {said}\n"
                "name another with suites[].interpreter, or an image with suites[].image"
            )
        python, pytest, plugins = told
        if python < _OLDEST:
            version = ".".join(map(str, python))
            raise ConfigError(f"{interpreter} is Python {version}; the runner needs 3.8 or later (suites[].image)")
        wanted = read_command(self.suite.test)
        if isinstance(wanted, Pytest) and not pytest:
            raise ConfigError(
                f"the test command is pytest, but {interpreter} has none; add it to suites[].setup or name the "
                "interpreter that has it with suites[].interpreter"
            )
        runner = "unittest" if isinstance(wanted, Unittest) or not pytest else "pytest"
        return Runtime(interpreter, python, runner, pytest, plugins)

    def run_plan(
        self,
        runtime: Runtime,
        box: Box,
        ids: tuple[TestId, ...] | None,
        *,
        seconds: float,
        spectrum: bool = False,
        coverage_thresholds: bool = True,
        conditions: Conditions = PLAIN,
        observe: bool = False,
    ) -> RunPlan:
        """Plan a run. coverage_thresholds False also takes away those that a foreign command asks of coverage.py."""
        command = self._command(runtime)
        under.check(self.unsupported(runtime, conditions), self.suite.test)
        told = box_files.run_settings(
            box,
            selection=ids,
            lines=spectrum,
            line_seconds=seconds * _TRACE_SHARE,
            # held back to a share of the time, a test takes as many times longer
            test_seconds=min(self.suite.test_seconds / conditions.cpu_share, seconds * _TEST_SHARE),
            thresholds=coverage_thresholds,
            junit=self.suite.junit if isinstance(command, Foreign) else "",
            import_roots=self._import_roots(),
            conditions=under.told(command, self.suite, conditions),
            observe=observe,
        )
        files = {**box_files.sources(), "run.json": told}
        environment = {**_environment(), **under.variables(conditions)}
        if not coverage_thresholds:
            files["coveragerc"] = b"[report]\nfail_under = 0\n"
            environment["COVERAGE_RCFILE"] = f"{box.control}/coveragerc"
        if isinstance(command, Foreign):
            command = Foreign(command.argv + under.words(self.suite, conditions))
        argv = _argv(command, runtime, f"{box.control}/{box_files.LAUNCH}")
        return RunPlan(files, Command(argv, seconds, environment, self.suite.path))

    def unsupported(self, runtime: Runtime, conditions: Conditions) -> str:
        """Why the suite's command cannot run under `conditions`; some of it shows only when the box tries."""
        return under.unsupported(self._command(runtime), runtime, self.suite, conditions)

    def read(self, box: Box, execution: Execution, ids: tuple[TestId, ...] | None) -> RunResult:
        """Report and exit code judged together; see reading.read_run for when `report` is None."""
        return read_run(box, execution, ids)

    def read_hits(self, box: Box) -> LineHits | None:
        """Executed lines per test, None where nothing readable was written."""
        return read_line_hits(box)

    def read_touched(self, box: Box) -> Touched:
        """Hosts, ports, rounds and the last test, as far as the box tells of them."""
        return read_touched(box)

    def _command(self, runtime: Runtime) -> TestCommand:
        default: TestCommand = Pytest() if runtime.runner == "pytest" else Unittest()
        return read_command(self.suite.test) or default

    def _import_roots(self) -> tuple[str, ...]:
        """Folders that may have to lead `sys.path` (in_box/roots.py): of the suite, then of the repository."""
        bases = dict.fromkeys((self.suite.path, "."))
        return tuple(f"{base}/{folder}" if folder else base for base in bases for folder in ("src", "lib", ""))


def _argv(command: TestCommand, runtime: Runtime, launch: str) -> tuple[str, ...]:
    match command:
        case Pytest():
            first = ("--cwd-first",) if command.folder_first else ()
            return (runtime.interpreter, *command.flags, launch, "pytest", *first, *command.arguments)
        case Unittest():
            return (runtime.interpreter, *command.flags, launch, "unittest", *command.arguments)
        case Foreign():
            return (runtime.interpreter, launch, "command", *command.argv)


def _environment() -> dict[str, str]:
    """No bytecode is written: boxes copy files within one second, and a stale .pyc would pass for the patched file."""
    return {"PYTHONDONTWRITEBYTECODE": "1"}
