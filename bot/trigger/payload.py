"""Reading an event's payload: anything may be missing or of the wrong type, for we did not write it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.errors import ConfigError
from bot.ports import JsonValue

SHA = "[0-9a-f]{40}(?:[0-9a-f]{24})?"
REPOSITORY = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}"
LOGIN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?"
_NO_REF = re.compile(
    "[\x00-\x20\x7f~^:?*\\[\\\\]|\\.\\.|@\\{|^-|[\ud800-\udfff]"
)  # git check-ref-format, what matters of it
LONGEST_REF = 255


class Payload:
    """One event's payload, read by path. ConfigError (`needs`) where what makes the event is missing."""

    def __init__(self, event: str, content: Mapping[str, JsonValue]) -> None:
        self.event = event
        self.content = content

    def value(self, *path: str) -> JsonValue:
        """What stands at `path`, None where there is no such thing."""
        found: JsonValue = self.content
        for key in path:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found

    def has(self, *path: str) -> bool:
        return self.value(*path) is not None

    def text(self, *path: str) -> str:
        """A string, "" where there is none."""
        found = self.value(*path)
        return found if isinstance(found, str) else ""

    def sha(self, *path: str) -> str:
        """A commit's full SHA in lower case; needed."""
        return self._of_shape(SHA, path, "a commit's SHA")

    def repository(self, *path: str) -> str:
        """ "owner/name"; needed."""
        return self._of_shape(REPOSITORY, path, "a repository's name")

    def optional_repository(self, *path: str) -> str:
        """ "owner/name", "" where it is gone or not told."""
        found = self.text(*path)
        return found if re.fullmatch(REPOSITORY, found) else ""

    def login(self, *path: str) -> str:
        """A login; "" where there is none that could be one, which nobody has permissions for."""
        found = self.text(*path)
        return found if re.fullmatch(LOGIN, found) else ""

    def ref(self, *path: str) -> str:
        """The name of a branch or tag; needed."""
        found = self.text(*path)
        if not is_ref(found):
            raise self.needs(path, "the name of a branch")
        return found

    def optional_ref(self, *path: str) -> str:
        found = self.text(*path)
        return found if is_ref(found) else ""

    def number(self, *path: str) -> int:
        """A positive whole number; needed."""
        found = self.optional_number(*path)
        if found is None:
            raise self.needs(path, "a positive number")
        return found

    def optional_number(self, *path: str) -> int | None:
        found = self.value(*path)
        if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 1 << 63:
            return found
        return None

    def items(self, *path: str) -> tuple[Payload, ...]:
        """The objects in a list, at most 100."""
        found = self.value(*path)
        if not isinstance(found, Sequence) or isinstance(found, str):
            return ()
        return tuple(Payload(self.event, each) for each in found[:100] if isinstance(each, Mapping))

    def needs(self, path: tuple[str, ...], what: str) -> ConfigError:
        return ConfigError(
            f"the payload of the {self.event} event has no usable {'.'.join(path)} ({what}); "
            "GITHUB_EVENT_PATH must name the file that GitHub wrote for this event"
        )

    def _of_shape(self, shape: str, path: tuple[str, ...], what: str) -> str:
        found = self.text(*path)
        if not re.fullmatch(shape, found):
            raise self.needs(path, what)
        return found


def is_ref(name: str) -> bool:
    """Whether git would take it as the name of a branch: bounded, no blank, control or range."""
    return 0 < len(name) <= LONGEST_REF and _NO_REF.search(name) is None


def quoted(name: str) -> str:
    """A name of the event's inside a sentence of ours: bounded, control and hidden characters escaped."""
    return ascii(name[:100])
