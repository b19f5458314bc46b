"""Runs unittest suites where there is no pytest: discovery, selection by id, JUnit XML in pytest's xunit1 dialect."""

from __future__ import annotations

import argparse
import copy
import os
import re
import sys
import time
import traceback
import unittest
from collections.abc import Iterator
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from . import conditions, lines, progress, roots, settings, time_limit

_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAILED_IMPORT = ("_FailedTest", "ModuleImportFailure", "LoadTestsFailure")

ErrorInfo = Any  # (type, value, traceback), as unittest hands it on


class _Case:
    """One test's fate; a failing sub-test, set-up or clean-up counts for its test."""

    def __init__(self, key: tuple[str, str, str]) -> None:
        self.key = key
        self.began = time.perf_counter()
        self.seconds = 0.0
        self.kind = ""  # "", "failure", "error", "skipped"
        self.message = ""
        self.text = ""

    def fail(self, kind: str, message: str, text: str) -> None:
        if self.kind not in ("failure", "error"):
            self.kind, self.message = kind, message
        self.text += ("\n" if self.text else "") + text


class Result(unittest.TextTestResult):
    """The ordinary text result that also keeps what the report needs."""

    def __init__(self, *arguments: Any, run: settings.RunSettings, under: conditions.InProcess, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.cases: dict[tuple[str, str, str], _Case] = {}
        self._workspace = run.workspace
        self._under = under
        self._round = _Case(("", "", ""))
        self._progress = progress.Progress()
        self._limit = time_limit.TimeLimit(run.test_seconds)
        self.collector = lines.collector(run) if run.lines else None

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        case = self._case(test)
        self._progress.begin(_node_id(*case.key))
        self._round = _Case(case.key)
        self._under.begin()
        if self.collector is not None:
            self.collector.begin()
        self._limit.arm()

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        self._limit.disarm()
        case = self._case(test)
        case.seconds += time.perf_counter() - self._round.began
        if self.collector is not None:
            self.collector.end(case.key)
        if not case.kind:
            self._limit.passed(case.seconds)
        self._under.end(case.key, {"": "p", "skipped": "s"}.get(self._round.kind, "f"))
        super().stopTest(test)

    def addFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802
        self._limit.disarm()
        super().addFailure(test, err)
        self._fail(test, "failure", err)

    def addError(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802
        self._limit.disarm()
        super().addError(test, err)
        self._fail(test, "error", err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: ErrorInfo | None) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            kind = "failure" if issubclass(err[0], test.failureException) else "error"
            self._fail(test, kind, err, str(getattr(subtest, "_subDescription", str)()))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        case = self._case(getattr(test, "test_case", test))
        self._round.kind = self._round.kind or "skipped"
        if not case.kind:
            case.kind, case.message = "skipped", reason

    def addExpectedFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        case = self._case(test)
        self._round.kind = "skipped"
        if case.kind != "failure":
            case.kind, case.message = "skipped", "expected failure"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._round.kind = "failure"
        self._case(test).fail("failure", "unexpected success", "the test is marked as an expected failure and passed")

    def _case(self, test: unittest.TestCase) -> _Case:
        key = key_of(test, self._workspace)
        return self.cases.setdefault(key, _Case(key))

    def _fail(self, test: unittest.TestCase, kind: str, err: ErrorInfo, prefix: str = "") -> None:
        error_type, value, trace = err
        message = f"{prefix} {error_type.__name__}: {value}".strip()
        if type(test).__name__ in _FAILED_IMPORT:  # the value carries the import's own traceback as text
            text, message = str(value), "collection failure"
            text = text.rstrip() + "\nE   " + text.rstrip().rpartition("\n")[2] + "\n"  # as pytest marks the cause
        else:
            text = "".join(traceback.format_exception(error_type, value, _without_unittest(trace)))
        self._round.kind = kind
        self._case(test).fail(kind, message, text)


def _node_id(file: str, scope: str, name: str) -> str:
    module = re.sub(r"\.py$", "", file).replace("/", ".")
    inner = scope[len(module) :].strip(".") if scope.startswith(module) else scope
    return "::".join(filter(None, (file, *inner.split("."), name)))


def _without_unittest(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the test's own frame on."""
    while trace is not None and "__unittest" in trace.tb_frame.f_globals:
        trace = trace.tb_next
    return trace


def key_of(test: unittest.TestCase, workspace: str) -> tuple[str, str, str]:
    """(file, classname, name) as pytest would name the test; a module that cannot be imported has no classname."""
    identity = test.id()
    if type(test).__name__ in _FAILED_IMPORT:
        module = identity.rpartition(".")[2] if identity.startswith("unittest.loader.") else identity
        return _uncollectable(getattr(test, "_testMethodName", module), workspace)
    holder = re.fullmatch(r"(\w+) \((.+)\)", identity)  # setUpClass, setUpModule: "setUpClass (module.Class)"
    if holder:
        scope, _, name = _split_module(holder[2])
        return _placed(scope, name, holder[1], workspace)
    module = type(test).__module__
    name = getattr(test, "_testMethodName", None) or identity.rpartition(".")[2]
    return _placed(module, type(test).__qualname__.replace(".<locals>", ""), name, workspace)


def _split_module(dotted: str) -> tuple[str, str, str]:
    """(module, ".", class path) by the longest part that is a loaded module."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        if module in sys.modules:
            return module, ".", ".".join(parts[end:])
    return dotted, "", ""


def _placed(module: str, scope: str, name: str, workspace: str) -> tuple[str, str, str]:
    source = getattr(sys.modules.get(module), "__file__", None) or ""
    root = os.path.realpath(workspace) + os.sep
    real = os.path.realpath(source) if source else ""
    if not real.startswith(root):
        return "", ".".join(filter(None, (module, scope))), name
    file = real[len(root) :].replace(os.sep, "/")
    return file, ".".join(filter(None, (re.sub(r"\.py$", "", file).replace("/", "."), scope))), name


def _uncollectable(module: str, workspace: str) -> tuple[str, str, str]:
    path = module.replace(".", "/") + ".py"
    for folder in (workspace, *sys.path):
        real = os.path.realpath(os.path.join(folder or ".", path))
        root = os.path.realpath(workspace) + os.sep
        if real.startswith(root) and os.path.isfile(real):
            file = real[len(root) :].replace(os.sep, "/")
            return file, "", re.sub(r"\.py$", "", file).replace("/", ".")
    return "", "", module


# --- discovery ------------------------------------------------------------------------------------------------------


def _flatten(suite: Any) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestSuite):
        for inner in suite:
            yield from _flatten(inner)
    else:
        yield suite


def _discovered(arguments: list[str]) -> unittest.TestSuite:
    """What `python -m unittest ARGUMENTS` would run; without arguments also a `tests` folder that is no package."""
    loader = unittest.TestLoader()
    if arguments and arguments[0] != "discover" and not arguments[0].startswith("-"):
        return loader.loadTestsFromNames([_as_module(word) for word in arguments if not word.startswith("-")])
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-s", "--start-directory", default=".")
    parser.add_argument("-p", "--pattern", default="test*.py")
    parser.add_argument("-t", "--top-level-directory", default=None)
    parser.add_argument("places", nargs="*")
    told, _ = parser.parse_known_args(arguments[1:] if arguments[:1] == ["discover"] else arguments)
    places = [*told.places, None, None, None][:3]
    start, pattern, top = places[0] or told.start_directory, places[1] or told.pattern, told.top_level_directory
    suite = loader.discover(start, pattern, places[2] or top)
    if not arguments:
        for folder in ("tests", "test"):
            if not suite.countTestCases() and os.path.isdir(folder):
                suite = unittest.TestLoader().discover(folder, pattern)
    return suite


def _as_module(word: str) -> str:
    return word[:-3].replace(os.sep, ".").replace("/", ".") if word.endswith(".py") else word


def _selected(suite: unittest.TestSuite, run: settings.RunSettings) -> unittest.TestSuite:
    if run.selection is None:
        return suite
    wanted = {(scope, name) for _, scope, name in run.selection}
    modules = {scope for scope, name in wanted if not name}  # uncollectable before: all their tests
    # a class's or module's set-up that failed is run again by running its tests
    prepared = {scope for scope, name in wanted if name in ("setUpClass", "tearDownClass", "setUpModule")}
    chosen = unittest.TestSuite()
    for test in _flatten(suite):
        _, scope, name = key_of(test, run.workspace)
        scope = scope or name  # a module that cannot be imported has its own name only
        inside = any(scope == module or scope.startswith(module + ".") for module in modules | prepared)
        if inside or (scope, name) in wanted:
            chosen.addTest(test)
    return chosen


def _arranged(suite: unittest.TestSuite, run: settings.RunSettings) -> unittest.TestSuite:
    """`suite` in the order that was asked for, each test as often as was asked for."""
    told = run.conditions
    if not told.in_order and told.repeat == 1:
        return suite
    tests = list(_flatten(suite))
    if told.in_order:

        def place(test: unittest.TestCase) -> int:
            _, scope, name = key_of(test, run.workspace)
            while (scope, name) not in run.order and scope:
                scope, name = (scope, "") if name else (scope.rpartition(".")[0], "")
            return run.order.get((scope, name), len(run.order))

        tests.sort(key=place)
    return unittest.TestSuite(again for test in tests for again in _repeated(test, told.repeat))


def _repeated(test: unittest.TestCase, times: int) -> Iterator[unittest.TestCase]:
    """`test` and further ones like it, each as new as the loader makes them."""
    yield test
    for _ in range(times - 1):
        name = getattr(test, "_testMethodName", "")
        yield type(test)(name) if name and type(test).__name__ not in _FAILED_IMPORT else copy.copy(test)


# --- report ---------------------------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    return _ILLEGAL.sub(lambda match: f"#x{ord(match.group()):02X}", text)


def _xml(cases: list[_Case]) -> str:
    kinds = [case.kind for case in cases]
    counts = f'errors="{kinds.count("error")}" failures="{kinds.count("failure")}" skipped="{kinds.count("skipped")}"'
    parts = [
        '<?xml version="1.0" encoding="utf-8"?><testsuites>',
        f'<testsuite name="unittest" {counts} tests="{len(cases)}">',
    ]
    for case in cases:
        file, scope, name = (quoteattr(_clean(part)) for part in case.key)
        attributes = f'classname={scope} name={name} file={file} time="{case.seconds:.6f}"'
        if case.kind:
            message = quoteattr(_clean(case.message))
            body = f"<{case.kind} message={message}>{escape(_clean(case.text))}</{case.kind}>"
            parts.append(f"<testcase {attributes}>{body}</testcase>")
        else:
            parts.append(f"<testcase {attributes}/>")
    return "\n".join([*parts, "</testsuite></testsuites>", ""])


def main(arguments: list[str]) -> int:
    run = settings.load()
    if sys.path and os.path.abspath(sys.path[0]) == settings.CONTROL:
        del sys.path[0]
    sys.path.insert(0, os.getcwd())
    roots.prefer(run.workspace, run.import_roots)
    sys.argv = ["python -m unittest", *arguments]
    under = conditions.InProcess(run)
    suite = _arranged(_selected(_discovered(arguments), run), run)
    results: list[Result] = []

    def make(*positional: Any, **named: Any) -> Result:
        results.append(Result(*positional, run=run, under=under, **named))
        if results[0].collector is not None:
            results[0].collector.start()
        return results[0]

    runner: Any = unittest.TextTestRunner(stream=sys.stderr, verbosity=1)
    runner.resultclass = make
    outcome = runner.run(suite)
    if results[0].collector is not None:
        results[0].collector.stop()
    under.finish()
    cases = list(results[0].cases.values())
    settings.write(os.path.basename(settings.report_path()), _xml(cases))
    if not cases:
        return 5
    return 0 if outcome.wasSuccessful() else 1
