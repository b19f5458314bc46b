"""The text of a pull request that puts tests into quarantine, or takes them out. Pure; all names are neutralised."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bot.evidence.types import TestId
from bot.flaky.quarantine import LIST, PLUGIN, Content, Entry
from bot.publish.untrusted import cell, code, code_cell, markdown
from bot.publish.words import plural

_LISTED = 100


def quarantine_title(added: Collection[Entry], removed: Collection[TestId]) -> str:
    """Of numbers only."""
    parts = [f"quarantine {plural(len(added), 'flaky test')}"] if added else []
    parts += [f"end the quarantine of {plural(len(removed), 'test')}"] if removed else []
    told = " and ".join(parts) or "bring the quarantine up to date"
    return told[0].upper() + told[1:]


def quarantine_body(
    added: Sequence[Entry], removed: Sequence[TestId], content: Content, *, asked_by: str = "", why_removed: str = ""
) -> str:
    """asked_by: a login, untrusted, "" = nobody. why_removed: a sentence on the proof ("passed 59 of 59")."""
    return "\n".join(_lines(added, removed, content, asked_by, why_removed)).rstrip() + "\n"


def _lines(
    added: Sequence[Entry], removed: Sequence[TestId], content: Content, asked_by: str, why_removed: str
) -> Iterator[str]:
    if added:
        yield "Failures of these tests do not make CI red until the date. They keep running, and a pass stays a pass."
        yield ""
        yield "| test | why | cause | owner | until |"
        yield "| --- | --- | --- | --- | --- |"
        for entry in added[:_LISTED]:
            owner = code_cell(entry.owner.replace("@", "@\u200b"), 80) if entry.owner else ""
            cells = (code_cell(entry.test.node_id), cell(entry.reason), cell(entry.cause), owner, cell(entry.until))
            yield "| " + " | ".join(cells) + " |"
        if len(added) > _LISTED:
            yield f"\nand {len(added) - _LISTED} more, in `{LIST}`"
        yield ""
    if removed:
        yield f"These leave the quarantine{': ' + markdown(why_removed) if why_removed else ''}."
        yield ""
        yield from (f"- {code(test.node_id)}" for test in removed[:_LISTED])
        if len(removed) > _LISTED:
            yield f"- and {len(removed) - _LISTED} more"
        yield ""
    if content.by_hand:
        yield f"> **To do by hand:** {markdown(content.by_hand)}"
        yield ""
    if asked_by:
        yield f"Asked for by {code(asked_by, 100)}."
        yield ""
    ends = content.files.get(LIST, b"") is None
    if ends:
        yield f"No test is left in quarantine: `{LIST}`, `{PLUGIN}` and the lines that load them go."
    else:
        loads = f", loaded by the lines in {code(content.loaded_by)}" if content.loaded_by else ""
        yield (
            f"`{LIST}` is the list, `{PLUGIN}` (standard library, pytest 6 and later) applies it{loads}. After its "
            "day, or with a date that cannot be read, a test counts again. `pytest --runxfail` lifts the quarantine "
            "for a run."
        )
