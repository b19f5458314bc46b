"""The text of a pull request that puts tests into quarantine, or takes them out. Pure; all names are neutralised.

One that a night proposes names its tests in hidden marks, by which the next nights know what was proposed before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence

from bot.evidence.types import TestId
from bot.flaky.quarantine import LIST, PLUGIN, Content, Entry
from bot.flaky.quarantine_proof import Healed
from bot.publish.flaky_words import counted, day, percent
from bot.publish.markers import marker
from bot.publish.untrusted import cell, code, code_cell, markdown
from bot.publish.words import plural
from bot.trigger.own import MARKER

_LISTED = 100
_RELEASE = "release"
_KEY = re.compile(
    rf"^{re.escape(MARKER)}{_RELEASE} ([0-9a-f]{{12}}) -->\r?$", re.MULTILINE
)  # a name is in no line alone
_MARK = hashlib.sha256(b"release from quarantine").hexdigest()[:12]


def quarantine_title(added: Collection[Entry], removed: Collection[TestId]) -> str:
    """Of numbers only."""
    parts = [f"quarantine {plural(len(added), 'flaky test')}"] if added else []
    parts += [f"end the quarantine of {plural(len(removed), 'test')}"] if removed else []
    told = " and ".join(parts) or "bring the quarantine up to date"
    return told[0].upper() + told[1:]


def quarantine_body(added: Sequence[Entry], removed: Sequence[TestId], content: Content, *, asked_by: str = "") -> str:
    """asked_by: a login, untrusted, "" = nobody."""
    return "\n".join(_lines(added, removed, content, asked_by)).rstrip() + "\n"


def release_body(chosen: Sequence[tuple[Entry, Healed]], content: Content) -> str:
    """Of what a night proposes: the counts that show each test to be healed."""
    return "\n".join(_release(chosen, content)).rstrip() + "\n"


def stale_body() -> str:
    """Of a proposal that no longer holds, and that people have not decided on."""
    return (
        "**Do not merge this any more.** Since it was proposed, the tests that it releases have failed again, or left "
        "the list, or what they rest on could not be shown again. It can be closed: that does not keep them from being "
        "proposed once they are clean for long enough.\n"
    )


def release_key(entry: Entry) -> str:
    """12 hex digits that stand for this test's stay in quarantine: put in anew, it is another one."""
    text = f"{entry.test.node_id}\n{entry.since}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def keys_in(body: str) -> frozenset[str]:
    """Keys of the tests that a proposal's body names."""
    return frozenset(_KEY.findall(body))


def release_commit(title: str) -> tuple[str, str]:
    """Message of a proposal's commit, and the mark in it by which it is known to be ours."""
    return f"{title}\n\nGrokfix-Fix: {_MARK}\n", _MARK


def _lines(added: Sequence[Entry], removed: Sequence[TestId], content: Content, asked_by: str) -> Iterator[str]:
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
        yield "These leave the quarantine."
        yield ""
        yield from (f"- {code(test.node_id)}" for test in removed[:_LISTED])
        if len(removed) > _LISTED:
            yield f"- and {len(removed) - _LISTED} more"
        yield ""
    if asked_by:
        yield f"Asked for by {code(asked_by, 100)}."
        yield ""
    yield from _files(content)


def _release(chosen: Sequence[tuple[Entry, Healed]], content: Content) -> Iterator[str]:
    yield "These tests ran clean for long enough to leave the quarantine. Merged, their failures count again."
    yield ""
    yield "| test | before | since its last failure | by luck, at most | provoked again |"
    yield "| --- | --- | --- | --- | --- |"
    for entry, healed in chosen:
        before = f"{counted(healed.before)}: at least {percent(healed.bound)}" if healed.before.failures else "0"
        clean = f"0 of {healed.clean} at {plural(healed.commits, 'commit')}, from {day(healed.since)} on"
        luck = "" if healed.chance is None else percent(healed.chance)
        provoked = "" if healed.provoked is None else counted(healed.provoked)
        cells = (code_cell(entry.test.node_id), cell(before), cell(clean), cell(luck), cell(provoked))
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield (
        "Counted are ordinary runs of the default branch, in environments in which the test had failed, after its last "
        "failure and at other commits than those at which it failed. *At least* is the lower bound of the rate before "
        "(Clopper–Pearson, one-sided, 95 %), *by luck* the chance that a test which fails so often passes all of them. "
        "Closed without being merged, this is not proposed again for the same stay in quarantine."
    )
    yield ""
    yield from _files(content)
    yield ""
    yield from (marker(_RELEASE, release_key(entry)) for entry, _ in chosen)


def _files(content: Content) -> Iterator[str]:
    if content.by_hand:
        yield f"> **To do by hand:** {markdown(content.by_hand)}"
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
