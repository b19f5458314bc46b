"""New tests as Markdown, for a comment: from the data of `tests_report.render_json`, perhaps of another job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.ports import JsonValue
from bot.publish.fields import count, records, text, texts
from bot.publish.untrusted import code, code_cell, fence, markdown, one_line

FORMAT = "grokfix-tests/1"
_HOW = {"model": "written by the model", "calls": "characterisation"}
_MOST = 20  # functions told of
_SHOWN = 5
_DIFF = 20_000
_DEFECT = "it fails on the code as it is"
_Data = Mapping[str, JsonValue]


def render(data: _Data) -> str:
    """What was written and what it notices; nothing in it acts."""
    return "\n\n".join(part for part in _parts(data) if part) + "\n"


def diff(patch: str, *, limit: int = _DIFF, whole: str) -> str:
    """The new files as one diff, folded; at most about `limit` characters, `whole` names where all of it is."""
    shown = fence(patch, "diff", limit=limit, whole=whole) if limit else f"It is in {whole}."
    return f"<details><summary>The new files, as a diff</summary>\n\n{shown}\n\n</details>"


def _parts(data: _Data) -> Iterator[str]:
    yield _prose(text(data, "summary"))
    problem = text(data, "problem")
    if problem:
        yield f"**Nothing can be handed over:** {_prose(problem)}"
    functions = records(data, "functions")
    kept = [each for each in functions if text(each, "test_file")]
    if kept:
        rows = [_row(each) for each in kept[:_MOST]]
        yield "\n".join(("| function | tests | changes noticed | how |", "| --- | --- | --- | --- |", *rows))
        yield "Each test passed in three fresh boxes and was seen to fail in another one on changed code."
    yield "\n".join(line for each in functions[:_MOST] for line in _remarks(each))
    if len(functions) > _MOST:
        yield f"[… {len(functions) - _MOST} more functions …]"
    if any(text(each, "author") == "calls" for each in kept):
        yield "Characterisation tests record what the code does today. Whether that is right is for you to say."


def _row(each: _Data) -> str:
    how = _HOW.get(text(each, "author"), "")
    tests, killed, mutants = len(records(each, "tests")), count(each, "killed") or 0, count(each, "mutants") or 0
    return f"| {code_cell(text(each, 'name'))} | {tests} | {killed} of {mutants} | {how} |"


def _remarks(each: _Data) -> Iterator[str]:
    name = code(text(each, "name"))
    for one in records(each, "dropped")[:_SHOWN]:
        if text(one, "why").startswith(_DEFECT):
            yield f"- **Look at {name}:** a test of the model's was dropped, for {_prose(text(one, 'why'))}"
    survivors = texts(each, "survivors")
    if survivors and text(each, "test_file"):
        more = f"; and {len(survivors) - _SHOWN} more" if len(survivors) > _SHOWN else ""
        yield f"- {name}: not noticed: {'; '.join(map(_prose, survivors[:_SHOWN]))}{more}"
    yield from (f"- {name}: look at: {_prose(remark)}" for remark in texts(each, "remarks")[:_SHOWN])
    if not text(each, "test_file"):
        yield f"- {name}: no test: {_prose(text(each, 'why'))}"


def _prose(said: str) -> str:
    return markdown(one_line(said, 300))
