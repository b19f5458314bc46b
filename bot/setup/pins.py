"""What generated workflows use: grokfix itself by the tag of this version, other actions by commit.

The commits stand in actions.json, each read from the action's own repository; nothing else is used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from bot import __version__

ACTION_REPOSITORY = "grokfix/grokfix"
TAG = f"v{__version__}"


@dataclass(frozen=True, slots=True)
class Pin:
    """An action of somebody else's. repository: "owner/name". tag: the release. sha: its commit, 40 hex digits."""

    repository: str
    tag: str
    sha: str

    @property
    def uses(self) -> str:
        """Text after `uses: `, with the release in a comment as Dependabot keeps it up to date."""
        return f"{self.repository}@{self.sha} # {self.tag}"


def pins() -> dict[str, Pin]:
    """Every pinned action by its repository."""
    known = json.loads(files("bot.setup").joinpath("actions.json").read_text(encoding="utf-8"))
    return {repository: Pin(repository, pin["tag"], pin["sha"]) for repository, pin in known.items()}


def our_action(sha: str | None) -> str:
    """Text after `uses: ` for grokfix: by `sha`, the tag's commit, where that is known, else by the tag."""
    if sha is not None:
        return f"{ACTION_REPOSITORY}@{sha} # {TAG}"
    return f"{ACTION_REPOSITORY}@{TAG} # zizmor: ignore[unpinned-uses] a tag can be moved: a commit's hash cannot"
