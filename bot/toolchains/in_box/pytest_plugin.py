"""The pytest plugin of a run: selects tests by id, limits and times each, collects lines, keeps the run comparable.

Works from pytest 6 on. Options and markers of plugins that retry or shuffle stay known, so that a project's own
configuration parses; only their effect is taken away, for a retried or reordered run cannot be compared with another.
"""

from __future__ import annotations

import copy
import json
import os
import re
import traceback
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest

from . import conditions, lines, neighbours, progress, roots, settings, time_limit

_COMPARABLE = ("rerunfailures", "randomly", "random_order", "retry")
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_run = settings.load()
_conditions = conditions.InProcess(_run)
_limit = time_limit.TimeLimit(_run.test_seconds)
_progress = progress.Progress()
_collector = lines.collector(_run) if _run.lines else None
_prefix = _strip = ""  # from pytest's root folder to the workspace: one of the two, where they differ
_configuration_error = False
_outcomes: set[str] = set()  # of the running test's phases


def configuration_error_reported() -> bool:
    """Whether a conftest.py could not be loaded and was reported as a failing collection."""
    return _configuration_error


# --- configuration --------------------------------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: Any) -> Iterator[None]:
    # A command's pytest inherits us through PYTEST_ADDOPTS; the runs that its tests start must not.
    _restore_addopts()
    roots.prefer(_run.workspace, _run.import_roots)
    # pytest-cov reads this before it starts measuring: measuring costs time, and its threshold is no test.
    early_config.known_args_namespace.no_cov = True
    if _collector is not None:
        _collector.start()
    outcome = yield
    error = getattr(outcome, "excinfo", None)
    if error is not None and type(error[1]).__name__ == "ConftestImportFailure":
        _report_configuration_error(error[1])


def _restore_addopts() -> None:
    before = os.environ.get("PYTEST_ADDOPTS", "").partition("-p grokfix_in_box.")[0].strip()
    if before:
        os.environ["PYTEST_ADDOPTS"] = before
    else:
        os.environ.pop("PYTEST_ADDOPTS", None)


def _report_configuration_error(failure: Any) -> None:
    """pytest ends without any report where a conftest.py cannot be imported; that is a failure like any other."""
    global _configuration_error  # noqa: PLW0603 (a plugin module is its own state)
    path = str(getattr(failure, "path", "") or failure.args[0])
    cause = getattr(failure, "cause", None) or failure.excinfo[1]
    relative = _relative(path)
    text = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))
    text += "".join("E   " + line for line in traceback.format_exception_only(type(cause), cause))
    name = re.sub(r"\.py$", "", relative).replace("/", ".")
    settings.write(
        os.path.basename(settings.report_path()),
        '<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="1" errors="1" failures="0">'
        f'<testcase classname="" name={quoteattr(_clean(name))} file={quoteattr(_clean(relative))} time="0">'
        f'<error message="collection failure">{escape(_clean(text))}</error></testcase>'
        "</testsuite></testsuites>",
    )
    _configuration_error = True


def _clean(text: str) -> str:
    return _ILLEGAL.sub("?", text)


def _relative(path: str) -> str:
    """Workspace-relative POSIX path."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(_run.workspace)).replace(os.sep, "/")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: Any) -> None:
    option = config.option
    option.xmlpath = settings.report_path()  # a name of its own where one command starts several runs
    option.maxfail = 0  # -x hides what else fails
    option.lf = option.failedfirst = option.newfirst = option.stepwise = False
    if hasattr(option, "numprocesses") and not hasattr(config, "workerinput"):
        # xdist: lines and limits belong to this process, unless several are what is asked for
        workers = _run.conditions.workers
        option.numprocesses = workers
        option.dist, option.tx = ("load", ["popen"] * workers) if workers else ("no", [])
    if not _run.thresholds and hasattr(option, "cov_fail_under"):
        option.cov_fail_under = 0
    if option.tbstyle in ("no", "line", "native", "short"):
        option.tbstyle = "auto"  # frames with their places are what the diagnosis stands on


@pytest.hookimpl(trylast=True)
def pytest_configure(config: Any) -> None:
    global _prefix, _strip, _limit  # noqa: PLW0603
    root = _relative(_root_of(config))
    if root == ".." or root.startswith("../"):
        _strip = os.path.relpath(os.path.realpath(_run.workspace), os.path.realpath(_root_of(config))) + "/"
    elif root != ".":
        _prefix = root + "/"
    for name in _COMPARABLE:
        plugin = config.pluginmanager.get_plugin(name)
        if plugin is not None:
            config.pluginmanager.unregister(plugin)
    if config.pluginmanager.hasplugin("timeout") and _has_own_timeout(config):
        _limit = time_limit.TimeLimit(0)
    if _run.selection is not None and not _run.neighbour_of:
        files = settings.files_of(_run.selection, _run.workspace)
        if files is not None:
            config.args = [os.path.join(_run.workspace, file) for file in files]


def _root_of(config: Any) -> str:
    return str(getattr(config, "rootpath", None) or config.rootdir)  # rootdir: before pytest 6.1


def _has_own_timeout(config: Any) -> bool:
    try:
        return bool(config.getoption("timeout", None) or config.getini("timeout"))
    except (KeyError, ValueError):
        return False


# --- selection ------------------------------------------------------------------------------------------------------


def _key(nodeid: str) -> tuple[str, str, str]:
    """(file, classname, name) of a test as JUnit's xunit1 has them, with the workspace as the root."""
    head, bracket, parameters = nodeid.partition("[")
    path, *inner = head.split("::")
    path = _prefix + (path[len(_strip) :] if path.startswith(_strip) else path)
    scope = [re.sub(r"\.py$", "", path.replace("/", ".")), *inner]
    scope[-1] += bracket + parameters
    return path, ".".join(scope[:-1]), _escaped(scope[-1])


def _escaped(name: str) -> str:
    """Characters that XML cannot hold, as pytest writes them."""
    return _ILLEGAL.sub(lambda match: f"#x{ord(match.group()):02X}", name)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: Any, items: list[Any]) -> Iterator[None]:
    yield  # whatever other plugins leave out or reorder: ours is the last word
    if _run.neighbour_of:
        items[:] = [item for item in items if _is_beside(item)]
        return
    if _run.selection is not None:
        wanted = {(scope, name) for _, scope, name in _run.selection}
        modules = {scope for scope, name in wanted if not name}  # uncollectable before: all their tests
        chosen: list[Any] = []
        others: list[Any] = []
        for item in items:
            _, scope, name = _key(item.nodeid)
            inside = any(scope == module or scope.startswith(module + ".") for module in modules)
            (chosen if inside or (scope, name) in wanted else others).append(item)
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = chosen
    if _run.conditions.in_order:
        items.sort(key=_place)
    if _run.conditions.repeat > 1:
        items[:] = [again for item in items for again in _repeated(item, _run.conditions.repeat)]
    settings.write("session.json", json.dumps({"prefix": _prefix, "strip": _strip}))


def _is_beside(item: Any) -> bool:
    """Whether a neighbour of the run that is looked at runs this test."""
    path, scope, name = _key(item.nodeid)
    if not _run.conditions.beside:
        return (path, scope, name) not in (_run.selection or ())
    return "::".join((path, *item.nodeid.partition("[")[0].split("::")[1:-1], name)) in _run.conditions.beside


def _place(item: Any) -> int:
    """Place in the order that was asked for; that of its module where only this was named."""
    _, scope, name = _key(item.nodeid)
    while (scope, name) not in _run.order and scope:
        scope, name = (scope, "") if name else (scope.rpartition(".")[0], "")
    return _run.order.get((scope, name), len(_run.order))


def _repeated(item: Any, times: int) -> Iterator[Any]:
    """`item` and further ones like it. Copies, because pytest keeps an item set up when the next one is the same."""
    yield item
    for _ in range(times - 1):
        yield _again(item)


def _again(item: Any) -> Any:
    again = copy.copy(item)
    if hasattr(again, "_initrequest"):  # its own fixture values; pytest-rerunfailures has relied on it since pytest 3
        again._initrequest()
    if getattr(again, "cls", None) is not None:  # its own instance of the test class, made when it is asked for
        vars(again).pop("_instance", None)
        vars(again).pop("_obj", None)
    return again


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: Any) -> None:
    """Beside other processes that run tests: see neighbours.py. And whoever came first here may have reordered."""
    if _run.neighbour_of:
        if not session.items:
            pytest.exit("none of the tests that shall run beside others was found", 5)
        neighbours.announce(_run)
        neighbours.forever(session.items, _again)
    if _run.conditions.in_order:
        session.items.sort(key=_place)  # rounds of a test stay together
    if _run.conditions.neighbours:
        neighbours.wait_for_all(_run.conditions.neighbours)


# --- each test ------------------------------------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    key = _key(item.nodeid)
    _progress.begin(item.nodeid)
    _outcomes.clear()
    _conditions.begin()
    if _collector is not None:
        _collector.begin()
    try:
        yield
    finally:
        if _collector is not None:
            _collector.end(key)
        _conditions.end(key, _word())


def _word() -> str:
    """How the round of the test that just ended went."""
    return "f" if "failed" in _outcomes else "s" if "skipped" in _outcomes else "p"


def _limited() -> Iterator[None]:
    _limit.arm()
    try:
        yield
    finally:
        _limit.disarm()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Iterator[None]:
    yield from _limited()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_call() -> Iterator[None]:
    yield from _limited()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield from _limited()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: Any) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    # JUnit's `file` is taken from here; for an inherited test it would be the base class's file
    report.location = (item.nodeid.partition("::")[0], *report.location[1:])
    _outcomes.add(report.outcome)
    if report.when == "call" and report.outcome == "passed":
        _limit.passed(report.duration)


def pytest_sessionfinish() -> None:
    _conditions.finish()
    if _collector is not None:
        _collector.stop()
