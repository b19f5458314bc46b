"""Where a checkout came from, by its own word: a claim, good for a default that a person sees."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from bot.process import minimal_environment, run

_ADDRESS = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^/@\s]*@)?|[^/@:\s]+@)(?P<host>[A-Za-z0-9.-]+)(?::\d+)?[:/]/?"
    r"(?P<owner>[A-Za-z0-9_.-]+)/(?P<name>[A-Za-z0-9_.-]+?)(?:\.git)?/?"
)


def origin(root: Path, server_url: str) -> str | None:
    """ "owner/name" of the remote `origin` of the checkout at `root`, None where it has none on that server.

    Git reads that one file as data (`--file`, no includes): the repository's configuration has no effect.
    """
    path = root / ".git" / "config"
    if not path.is_file():
        return None  # a linked work tree: its owner is asked for --repository
    done = run(
        ("git", "config", "--file", path.absolute(), "--no-includes", "--get", "remote.origin.url"),
        cwd=Path("/"),
        environment=minimal_environment() | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
        seconds=10,
    )
    address = _ADDRESS.fullmatch(done.stdout.decode("utf-8", "replace").strip()) if done.exit_code == 0 else None
    if address is None or address["host"].lower() != (urlsplit(server_url).hostname or ""):
        return None
    return f"{address['owner']}/{address['name']}"
