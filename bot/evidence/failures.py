"""A failing case, read: exception, message, frames, and the fingerprint that groups failures of one cause."""

from __future__ import annotations

import builtins
import hashlib
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable

from bot.evidence.junit_case import posix
from bot.evidence.merge import ALSO
from bot.evidence.text import one_line, without_terminal_codes
from bot.evidence.traceback import Chain, RawFrame, read_exception, read_traceback
from bot.evidence.types import Cluster, Failure, Frame, Phase, TestCase

MESSAGE_LIMIT = 2000
"""Characters of a failure's message."""

# Order matters: a path holds numbers, a time holds numbers, an address begins like a number.
_MASKS = (
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<address>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b"), "<time>"),
    (re.compile(r"(?<![\w/.<])(?:[A-Za-z]:)?(?:[\\/][\w.@+~-]+){2,}[\\/]?"), "<path>"),
    (re.compile(r"\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b"), "<id>"),
    (re.compile(r"(?<!\w)[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?", re.IGNORECASE), "<number>"),
)
_VALUES = re.compile(
    r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\[[^\[\]\n]*\]|\{[^{}\n]*\}|\([^()\n]*\)"""
    r"""|<number>|\b(?:None|True|False)\b"""
)
# "+  where 4 = total([1, 2])", "+    where 3 = <bound method Cart.total of <shop.Cart object at 0x7f…>>()"
_WHERE = re.compile(r"\s*\+\s+where .{1,2000}? = (?:<(?:bound method|function) ([\w.]+)[^\n]*>|([A-Za-z_][\w.]*))\(")
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError"})
_OUTSIDE = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|lib/python\d[\d.]*|lib-dynload|_pytest|pluggy)/|^<|\.zip/"
)


def looks_own(path: str) -> bool:
    """Whether a path in a traceback can be the project's: no installed package, no standard library, no <string>.

    For readers that have a report but no checkout to look into.
    """
    return not _OUTSIDE.search(path.replace("\\", "/"))


def read_failure(case: TestCase, is_project: Callable[[str], bool]) -> Failure:
    """Read a failing case's text. Nothing in it is believed to be more than text; what cannot be read is "" or empty.

    The exception is the one that the test died of, without its module; type and message come from the traceback, or
    else from the message alone, and agree between the two. Frames run outermost first; those of an exception that
    was raised `from` another are followed by the other's, so that the innermost frame is where it began. Absolute
    paths become relative where the case's own file shows the root. is_project is asked about each path so written.

    fingerprint: SHA-256 of exception, masked message and innermost project frame (path and function). Where pytest's
    introspection names the call whose value a test compared, that call is the innermost frame (it has returned, so
    the stack no longer shows it) and the compared values are left out; what could not be imported stands for the
    many files that import it.
    """
    text = without_terminal_codes(case.traceback).partition(ALSO)[0]
    chain = read_traceback(text)
    exception, lines = _exception(case, chain, text)
    frames = _frames(case, chain, is_project)
    message = one_line(lines[0], MESSAGE_LIMIT) if lines else ""
    key = "\0".join((exception, *_key(case, exception, message, lines, frames)))
    fingerprint = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return Failure(case, exception, message, frames, fingerprint)


def cluster(failures: Iterable[Failure]) -> tuple[Cluster, ...]:
    """Failures of one fingerprint together: the largest cluster first, equals by the id of their first test."""
    groups: dict[str, list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure.fingerprint].append(failure)
    clusters = [
        Cluster(fingerprint, tuple(sorted(group, key=lambda failure: failure.case.id)))
        for fingerprint, group in groups.items()
    ]
    return tuple(sorted(clusters, key=lambda each: (-len(each.failures), each.failures[0].case.id, each.fingerprint)))


def mask(message: str) -> str:
    """A message with what differs from run to run replaced: addresses, ids, times, paths, numbers."""
    for pattern, replacement in _MASKS:
        message = pattern.sub(replacement, message)
    return message


def _exception(case: TestCase, chain: Chain, text: str) -> tuple[str, tuple[str, ...]]:
    """Type without its module, and the message's lines."""
    if chain.raised:
        last = chain.raised[-1]
        if last.exception:
            return last.exception.rpartition(".")[2], last.message
    reported = without_terminal_codes(case.message).strip().splitlines()
    if reported:
        name, first = read_exception(reported[0])
        if name or chain.raised:
            return name.rpartition(".")[2], (first, *reported[1:])
    for line in text.splitlines()[:20]:  # other languages print the exception first
        name, first = read_exception(line)
        if name and not chain.raised:
            return name.rpartition(".")[2], (first, *reported)
    return "", tuple(reported)


def _frames(case: TestCase, chain: Chain, is_project: Callable[[str], bool]) -> tuple[Frame, ...]:
    if not chain.raised:
        return ()
    raw = list(chain.raised[-1].frames)
    for index in chain.causes:
        raw.extend(chain.raised[index].frames)
    root = _root(case, raw, is_project)
    frames = []
    for frame in raw:
        path = posix(frame.path)
        if not root and posixpath.isabs(path) and looks_own(path) and not is_project(path):
            root = _root_by_suffix(path, is_project)
        if root and path.startswith(root):
            path = path[len(root) :]
        frames.append(Frame(path, frame.line, frame.function, is_project(path)))
    return tuple(frames)


def _root(case: TestCase, frames: Iterable[RawFrame], is_project: Callable[[str], bool]) -> str:
    """Absolute folder, with its slash, from which the case's file is named; "" where no frame shows it."""
    files = _files(case)
    for file in files:
        for frame in frames:
            path = posix(frame.path)
            if posixpath.isabs(path) and path.endswith("/" + file) and is_project(file):
                return path[: -len(file)]
    return ""


def _files(case: TestCase) -> list[str]:
    """Relative paths at which the case's file can be, by its file or else by its class name."""
    if case.id.file:
        return [] if posixpath.isabs(case.id.file) else [case.id.file]
    parts = case.id.classname.split(".")
    return ["/".join(parts[:length]) + ".py" for length in range(len(parts), 0, -1) if all(parts)]


def _root_by_suffix(path: str, is_project: Callable[[str], bool]) -> str:
    """Absolute folder below which the rest of `path` is the project's, "" where no rest is."""
    parts = path.split("/")
    for length in range(1, min(len(parts), 40)):
        if is_project("/".join(parts[length:])):
            return "/".join(parts[:length]) + "/"
    return ""


def _key(
    case: TestCase, exception: str, message: str, lines: tuple[str, ...], frames: tuple[Frame, ...]
) -> tuple[str, str, str]:
    """Masked message, path and function that stand for the cause."""
    inner = next((frame for frame in reversed(frames) if frame.in_project), None)
    path, function = (inner.path, inner.function) if inner else (case.id.file or case.id.classname, "")
    if exception == "AssertionError":
        subject = _subject(lines)
        if subject:
            return "", path, subject
        return _valueless(mask(message)), path, function
    if exception in _IMPORT_ERRORS and case.phase is Phase.COLLECTION and path in _files(case):
        return mask(message), "", ""
    return mask(message), path, function


def _subject(lines: tuple[str, ...]) -> str:
    """The innermost project call that pytest's introspection names, "" where it names none."""
    for line in reversed(lines):
        match = _WHERE.match(line)
        if match is not None:
            name: str = match[1] or match[2]
            if not hasattr(builtins, name.rpartition(".")[2]):
                return name
    return ""


def _valueless(message: str) -> str:
    """An assertion's message without the values it compared."""
    for _ in range(8):
        shorter = _VALUES.sub("<value>", message)
        if shorter == message:
            break
        message = shorter
    return message
