"""Publishing part by part: what one part loses does not take the others with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot.errors import ForgeError
from bot.ports import Denied

_Value = TypeVar("_Value")


class Parts:
    """Does the parts one after another, and keeps what went wrong.

    problems: sentences, of untrusted parts. unpublished: the token died or the code host was down before everything
    that matters was out.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.unpublished = False
        self._dead = False

    def do(self, what: str, act: Callable[[], _Value], *, decisive: bool = False) -> _Value | None:
        """Do one part; what fails is noted, and after a dead token (401) nothing more is tried.

        decisive: without it the attempt is not published where another try may help: the token died, the code host is
        down or silent."""
        if self._dead:
            return None
        try:
            return act()
        except ForgeError as error:
            self._dead = error.status == 401
            self.problems.append(f"could not {what}: {error}")
            if decisive and (error.status in (0, 401, 429) or error.status >= 500):
                self.unpublished = True
            return None

    def refusal(self, what: str, answer: object) -> None:
        """Note what the code host refused, if that is what `answer` says."""
        if isinstance(answer, Denied):
            self.problems.append(f"the code host refused {what} ({answer.status}: {answer.message[:200]})")
