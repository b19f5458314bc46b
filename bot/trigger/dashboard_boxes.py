"""The dashboard's checkboxes: how they are written, and what an edit of its issue ticked. Pure.

A box is a list item that ends in a hidden mark, and only a line of exactly that shape is one. An edit counts only where
it changes nothing but boxes, and only on a body that is what we wrote: else somebody could rename a box before another
person ticks it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.evidence.types import TestId
from bot.trigger.own import MARKER

ALL = "all"
"""The key of a box that is about every test."""
LONGEST_BODY = 65_536
"""Characters that the code host takes as an issue's body."""


class Verb(StrEnum):
    """What a box asks for. FIX: the repair of the test, or of what pollutes it."""

    TRIAGE = "triage"
    QUARANTINE = "quarantine"
    UNQUARANTINE = "unquarantine"
    FIX = "fix"


WORDS = {
    Verb.TRIAGE: "look at it again",
    Verb.QUARANTINE: "quarantine it, by a pull request",
    Verb.UNQUARANTINE: "end its quarantine, by a pull request",
    Verb.FIX: "repair it",
}


@dataclass(frozen=True, slots=True)
class Action:
    """A box that was ticked. key: `key_of` its test, or ALL."""

    verb: Verb
    key: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """Boxes that this edit ticked, in their order; at least one."""

    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Spoiled:
    """Something else was changed, now or before: nothing is acted on, and the body has to be written anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """No box was ticked (one was cleared, or nothing that counts changed)."""


Edit: TypeAlias = Ticked | Spoiled | Unchanged


def key_of(test: TestId) -> str:
    """12 hex digits that stand for a test in its boxes."""
    return hashlib.sha256(test.node_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def box(verb: Verb, key: str, words: str = "") -> str:
    """One list item, not ticked. words: ours, instead of the verb's own."""
    return f"- [ ] {words or WORDS[verb]} {MARKER}box {verb.value} {key} -->"


_BOX = re.compile(
    r"^- \[([ xX])\] [^\n<]{1,200} "
    + re.escape(MARKER)
    + rf"box ({'|'.join(verb.value for verb in Verb)}) ([0-9a-f]{{12}}|{ALL}) -->$",
    re.MULTILINE,
)


def cleared(body: str) -> str:
    """A body as it is compared: no box ticked, line ends of one kind (a browser sends CRLF), no blanks at the end."""
    return _BOX.sub(lambda found: f"- [ ] {found[0][6:]}", _lines(body))


def read_edit(old: str, new: str, written: Collection[str]) -> Edit:
    """What an edit from `old` to `new` ticked. written: bodies that we wrote and that may still be shown somewhere."""
    if len(old) > LONGEST_BODY or len(new) > LONGEST_BODY:
        return Spoiled("the body is longer than the code host takes")
    if cleared(old) not in {cleared(body) for body in written}:
        return Spoiled("before this edit the body was not as grokfix wrote it")
    if cleared(new) != cleared(old):
        return Spoiled("the edit changed more than checkboxes")
    before = _ticked(old)
    actions = tuple(action for action in _ticked(new) if action not in before)
    return Ticked(actions) if actions else Unchanged()


def _ticked(body: str) -> tuple[Action, ...]:
    found = (Action(Verb(mark[2]), mark[3]) for mark in _BOX.finditer(_lines(body)) if mark[1] in "xX")
    return tuple(dict.fromkeys(found))


def _lines(body: str) -> str:
    return body.replace("\r\n", "\n").replace("\r", "\n").rstrip()
