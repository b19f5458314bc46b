"""One pytest run's console output → cases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bot.evidence.junit_case import MESSAGE_LIMIT, TRACEBACK_LIMIT, posix
from bot.evidence.text import head_tail, one_line
from bot.evidence.traceback import read_traceback
from bot.evidence.types import Outcome, Phase, TestCase, TestId

_SECTION = re.compile(r"=+ (.+?) =+")
_BLOCK = re.compile(r"_+ (.*[^_ ].*) _+")
_TOTALS = re.compile(r"(\d+) (failed|passed|errors?)\b")
_OUTCOMES = {
    "PASSED": Outcome.PASSED,
    "XPASS": Outcome.PASSED,
    "FAILED": Outcome.FAILED,
    "SUBFAIL": Outcome.FAILED,
    "SUBFAILED": Outcome.FAILED,
    "ERROR": Outcome.ERROR,
    "SKIPPED": Outcome.SKIPPED,
    "XFAIL": Outcome.SKIPPED,
    "SUBSKIPPED": Outcome.SKIPPED,
}
_WORDS = "PASSED|XPASS|FAILED|ERROR|SKIPPED|XFAIL|RERUN|SUBFAIL(?:ED)?|SUBSKIPPED"
_SUMMARY = re.compile(rf"({_WORDS})(?:\(.*?\)|\[.*?\])? (\S.*)")
# Greedy on purpose: the last word of the line that can be the outcome is, and a long line takes linear time.
_VERBOSE = re.compile(rf"(\S.*) ({_WORDS})(?:\([^()]*\))?(?: \(.*\))?(?:\s*\[\s*\d+%\])?")
_WORKER = re.compile(rf"\[gw\d+\]\s*(?:\[\s*\d+%\]\s*)?({_WORDS})(?:\(.*?\))? (\S.*)")
_PHASE = re.compile(r"ERROR (?:at (setup|teardown) of|collecting) (.+)")
_CRASHED = re.compile(r"worker '[^']{1,40}' crashed while running '(.+)'")
_CONFTEST = re.compile(r"(?:\w+Error|\w+Exception|\w+) while loading conftest '(.+)'\.?")
_INTERRUPTED = re.compile(r"!+ (.*?) !+")
_USAGE = re.compile(r"ERROR: (?!\S+ \()(.+)")


@dataclass(frozen=True, slots=True)
class _Block:
    """One failure's text under its title, of the section FAILURES or ERRORS."""

    title: str
    phase: Phase
    is_error: bool
    text: str


class PytestSession:
    """Reads one run; `say` hears what stopped it or does not add up."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._verbose: list[tuple[str, str]] = []  # word and node id, in order
        self._summary: list[tuple[str, str, str]] = []  # word, node id, message
        self._blocks: list[_Block] = []
        self._totals: dict[str, int] = {}

    def read(self, lines: list[str]) -> Iterator[TestCase]:
        """The cases of the run, doubles included (a failing call and its teardown, subtests)."""
        self._scan(lines)
        seen = self._results()
        yield from seen
        self._check(seen)

    def _scan(self, lines: list[str]) -> None:
        section = ""
        block: list[str] = []
        title = ""

        def close() -> None:
            nonlocal title
            if title:
                self._blocks.append(_block(title, section, block))
            title = ""
            block.clear()

        for line in lines:
            header = _SECTION.fullmatch(line.strip()) if line.startswith("=") else None
            if header is not None:
                close()
                section = header[1]
                if section == "short test summary info":
                    self._summary.clear()  # the last one is pytest's own; one before it was printed by a test
                self._count(section)
            elif section in ("FAILURES", "ERRORS"):
                started = _BLOCK.fullmatch(line.rstrip()) if line.startswith("_") else None
                if started is not None:
                    close()
                    title = started[1]
                else:
                    block.append(line)
            elif section == "short test summary info":
                self._summary_line(line)
            elif section not in ("warnings summary", "PASSES", "XFAILURES", "XPASSES", "RERUNS"):
                self._progress_line(line)
        close()
        if lines:
            self._count(lines[-1])
        self._conftest(lines)

    def _summary_line(self, line: str) -> None:
        match = _SUMMARY.fullmatch(line.rstrip())
        if match is not None and not match[2].startswith("["):  # "SKIPPED [1] file:line: reason" has no id
            node, message = _split(match[2])
            self._summary.append((match[1], node, message))
            return
        self._remark(line)

    def _progress_line(self, line: str) -> None:
        line = line.rstrip()
        worker = _WORKER.fullmatch(line)
        if worker is not None:
            self._verbose.append((worker[1], worker[2]))
            return
        verbose = _VERBOSE.fullmatch(line)
        if verbose is not None and "::" in verbose[1] and not line.startswith(("E ", ">", "FAILED ", "ERROR ")):
            self._verbose.append((verbose[2], verbose[1]))
            return
        self._remark(line)

    def _remark(self, line: str) -> None:
        if line.startswith("INTERNALERROR>"):
            self._say("pytest itself broke off with an internal error")
        elif line.startswith("Fatal Python error:"):
            self._say(f"the interpreter crashed: {one_line(line, 200)}")
        elif line.startswith("!") and (match := _INTERRUPTED.fullmatch(line.strip())):
            self._say(f"the run stopped early: {one_line(match[1], 200)}")
        elif line.startswith("[gw") and "node down" in line:
            self._say("a worker of the run crashed")
        elif line.startswith("ERROR: ") and (match := _USAGE.fullmatch(line)):
            self._say(f"pytest refused to run: {one_line(match[1], 200)}")

    def _conftest(self, lines: list[str]) -> None:
        for number, line in enumerate(lines):
            match = _CONFTEST.fullmatch(line)
            if match is not None:
                text = "\n".join(lines[number : number + 200])
                chain = read_traceback(text)
                frames = [posix(frame.path) for raised in chain.raised for frame in raised.frames]
                named = posix(match[1])
                path = next((path for path in frames if named.endswith("/" + path)), named)
                self._blocks.append(_Block(f"ERROR collecting {path}", Phase.COLLECTION, True, text))
                self._say("a conftest.py could not be loaded, so no test ran")

    def _count(self, text: str) -> None:
        if re.search(r" in \d+(\.\d+)?s", text):
            for number, word in _TOTALS.findall(text):
                self._totals[word.removesuffix("s")] = int(number)

    def _results(self) -> list[TestCase]:
        """Verbose results first, in the order of the run; then summary lines with their blocks; then blocks alone."""
        cases: list[TestCase] = []
        retried: set[str] = set()
        for word, node in self._verbose:
            if word == "RERUN":
                retried.add(node)
            elif not _OUTCOMES[word].is_failure:
                outcome = Outcome.FLAKY if word == "PASSED" and node in retried else _OUTCOMES[word]
                cases.append(TestCase(TestId.from_node_id(node), outcome))
        failing = [(word, node, message) for word, node, message in self._summary if _OUTCOMES[word].is_failure]
        named = {(node, _OUTCOMES[word]) for word, node, _ in failing}
        failing.extend(
            (word, node, "")
            for word, node in self._verbose
            if word != "RERUN" and _OUTCOMES[word].is_failure and (node, _OUTCOMES[word]) not in named
        )
        left = list(self._blocks)
        for word, node, message in failing:
            block = _take(left, node, is_error=_OUTCOMES[word] is Outcome.ERROR)
            cases.append(_case(node, _OUTCOMES[word], message, block))
        for word, node, message in self._summary:
            if not _OUTCOMES.get(word, Outcome.FAILED).is_failure:
                cases.append(TestCase(TestId.from_node_id(node), _OUTCOMES[word], message=message))
        cases.extend(_alone(block) for block in left)
        return cases

    def _check(self, cases: list[TestCase]) -> None:
        for word, outcome in (("failed", Outcome.FAILED), ("error", Outcome.ERROR)):
            found = sum(case.outcome is outcome for case in cases)
            if self._totals.get(word, found) != found:
                self._say(f"its totals say {self._totals[word]:,} {word}, {found:,} can be read from it")


def _block(title: str, section: str, lines: list[str]) -> _Block:
    kept = lines[1:] if lines and re.match(r"\[gw\d+\] ", lines[0]) else lines
    text = head_tail("\n".join(kept).strip("\n"), TRACEBACK_LIMIT)
    match = _PHASE.fullmatch(title) if section == "ERRORS" else None
    if match is None:
        return _Block(title, Phase.CALL, section == "ERRORS", text)
    phase = {"setup": Phase.SETUP, "teardown": Phase.TEARDOWN, None: Phase.COLLECTION}[match[1]]
    return _Block(match[2] if phase is not Phase.COLLECTION else title, phase, True, text)


def _split(text: str) -> tuple[str, str]:
    """Node id and message of a summary line; a parameter may hold " - ", its id then ends with a bracket."""
    at = text.find(" - ")
    while at >= 0:
        left = text[:at]
        if "[" not in left or left.endswith("]"):
            return left, text[at + 3 :]
        at = text.find(" - ", at + 3)
    left, separator, message = text.partition(" - ")
    return (text, "") if text.endswith("]") or not separator else (left, message)


def _title(node: str) -> str:
    """What pytest prints above the failure of `node`: class and function."""
    head, bracket, parameters = node.partition("[")
    return ".".join(head.split("::")[1:]) + bracket + parameters


def _take(blocks: list[_Block], node: str, *, is_error: bool) -> _Block | None:
    """The first block that can be the node's, removed from the list; one that shows the node's file before others."""
    file = node.partition("::")[0]
    title = _title(node)
    fits = []
    for index, block in enumerate(blocks):
        if block.is_error is not is_error:
            continue
        crashed = _CRASHED.search(block.text)
        if crashed is not None and crashed[1] == node:
            return blocks.pop(index)
        if block.phase is Phase.COLLECTION:
            if block.title == f"ERROR collecting {node}":
                return blocks.pop(index)
        elif block.title == title or (not is_error and title and block.title.startswith(f"{title} (")):
            fits.append(index)
    if not fits:
        return None
    return blocks.pop(next((index for index in fits if file in blocks[index].text), fits[0]))


def _case(node: str, outcome: Outcome, message: str, block: _Block | None) -> TestCase:
    id = TestId.from_node_id(node)
    phase = Phase.CALL
    if outcome is Outcome.ERROR:
        phase = Phase.SETUP if "::" in node else Phase.COLLECTION
    case = TestCase(id, outcome, 0.0, head_tail(message, MESSAGE_LIMIT), "", phase)
    if block is None:
        return case
    return replace(
        case,
        message=head_tail(_message(block.text) or message, MESSAGE_LIMIT),
        traceback=block.text,
        phase=block.phase if outcome is Outcome.ERROR else Phase.CALL,
    )


def _message(text: str) -> str:
    """What JUnit XML would give as the message: the type, and all that the exception said."""
    crashed = _CRASHED.search(text)
    if crashed is not None:
        return crashed[0]
    chain = read_traceback(text)
    if not chain.raised:
        return ""
    last = chain.raised[-1]
    said = "\n".join(last.message).strip("\n")
    named = last.exception and not said.startswith("assert ")
    return (f"{last.exception}: {said}" if said else last.exception) if named else said


def _alone(block: _Block) -> TestCase:
    """A block that no summary names: its file is where its traceback begins."""
    outcome = Outcome.ERROR if block.is_error else Outcome.FAILED
    crashed = _CRASHED.search(block.text)
    if crashed is not None:
        return _case(crashed[1], outcome, "", block)
    if block.phase is Phase.COLLECTION:
        return _case(block.title.removeprefix("ERROR collecting "), outcome, "", block)
    chain = read_traceback(block.text)
    frames = chain.raised[-1].frames if chain.raised else ()
    title, bracket, parameters = block.title.partition("[")
    parts = title.split(" (")[0].split(".")
    here = [frame for frame in frames if frame.function == parts[-1]]
    file = posix((here or list(frames))[0].path) if frames else ""
    if not file:
        return _with_id(TestId("", ".".join(parts[:-1]), parts[-1] + bracket + parameters), outcome, block)
    return _case("::".join((file, *parts)) + bracket + parameters, outcome, "", block)


def _with_id(id: TestId, outcome: Outcome, block: _Block) -> TestCase:
    phase = block.phase if outcome is Outcome.ERROR else Phase.CALL
    return TestCase(id, outcome, 0.0, head_tail(_message(block.text), MESSAGE_LIMIT), block.text, phase)
