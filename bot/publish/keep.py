"""What is kept of an attempt on the data branch: its trace as a page, as HTML and as it is, its result, its patches."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bot.publish import trace_page
from bot.publish.context import Kept
from bot.result import Result, to_json
from bot.trace.html import render_trace
from bot.trace.read import read_trace
from bot.trigger.data_branch import BRANCH
from bot.trigger.types import Claim

LARGEST = 10 << 20
"""Bytes of one file that is kept; a larger one stays in the run's artifacts."""

_PAGE = "README.md"  # what the code host shows under a folder's listing
_TRACES = "traces"


@dataclass(frozen=True, slots=True)
class Kit:
    """Files to write, by path on the data branch, and where they will be found."""

    kept: Kept
    patch_paths: Mapping[str, str]
    files: Mapping[str, bytes] = field(repr=False)
    page_path: str = ""


def pack(claim: Claim, result: Result, trace: bytes, server_url: str, repository: str) -> Kit:
    """Pure save for a temporary file, which the trace's reader needs. patch_paths: by fingerprint."""
    folder = f"{_TRACES}/{_slug(claim.attempt)}"
    files: dict[str, bytes] = {"result.json": to_json(result).encode()}
    patches: dict[str, str] = {}
    for repair in result.repairs:
        if repair.patch is not None and repair.fingerprint:
            name = f"{repair.fingerprint[:12]}.patch"
            files[name] = repair.patch.encode("utf-8", "replace")
            patches[repair.fingerprint] = f"{folder}/{name}"
    left_out = "" if trace else "The trace is not kept, for it is missing or holds what looks like a secret."
    page = b""
    if trace:
        files["trace.jsonl"] = trace
        with tempfile.TemporaryDirectory(prefix="grokfix-trace-") as scratch:
            path = Path(scratch) / "trace.jsonl"
            path.write_bytes(trace)
            read = read_trace(path)
        files["trace.html"] = render_trace(read).encode("utf-8", "replace")
        links = tuple((name, name) for name in files)
        page = trace_page.render(read, _title(claim, result), links, claim.run_url).encode("utf-8", "replace")
    large = [name for name, content in files.items() if len(content) > LARGEST]
    if large:
        left_out = f"{', '.join(large)}: too large to be kept here, in the artifacts of the run."
        files = {name: content for name, content in files.items() if name not in large}
        patches = {key: path for key, path in patches.items() if path.rpartition("/")[2] in files}
    files[_PAGE] = page or f"# {_title(claim, result)}\n\n{left_out}\n".encode()
    where = f"{server_url}/{repository}"
    kept = Kept(
        f"{where}/tree/{BRANCH}/{quote(folder)}",
        tuple((name, f"{where}/blob/{BRANCH}/{quote(f'{folder}/{name}')}") for name in files if name != _PAGE),
        left_out,
    )
    paths = {f"{folder}/{name}": content for name, content in files.items()}
    return Kit(kept, patches, paths, f"{folder}/{_PAGE}")


def _title(claim: Claim, result: Result) -> str:
    return f"{result.outcome.value}, attempt {claim.attempt[:40]}, commit {claim.trigger.sha[:12]}"


def _slug(attempt: str) -> str:
    """A folder's name; ids of attempts are ours and plain already, and no other text gets through as a path."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", attempt).strip("-")[:100] or "unnamed"
