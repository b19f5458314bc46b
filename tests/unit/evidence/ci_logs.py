"""Job logs as the runner writes them, around output that real test runners wrote (tests/corpus/console)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[2] / "corpus" / "console"
MERGE = "6a261a2433a30adb87c2a63adc84befc43e1846b"
HEAD = "0a37f3ac68e52671fc9a352f3d2828918a010785"
BASE = "1483cdb74558336330fe70cd66def1ac072abffe"


def sample(name: str) -> list[str]:
    return (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def stamped(lines: Sequence[str], *, newline: str = "\r\n", mark: str = "\ufeff") -> bytes:
    """The log as the API gives it: a byte order mark, and a time stamp before every line."""
    stamps = (
        f"2026-10-04T06:{number // 60 % 60:02}:{number % 60:02}.{number % 10_000_000:07}Z " for number in range(10**9)
    )
    return (mark + "".join(f"{stamp}{line}{newline}" for stamp, line in zip(stamps, lines, strict=False))).encode()


def set_up() -> list[str]:
    return [
        "Current runner version: '2.330.0'",
        "##[group]Runner Image Provisioner",
        "Hosted Compute Agent",
        "##[endgroup]",
        "##[group]GITHUB_TOKEN Permissions",
        "Contents: read",
        "##[endgroup]",
        "Prepare workflow directory",
        "Complete job name: test (3.12, ubuntu-latest)",
    ]


def checkout(
    commit: str = MERGE,
    *,
    repository: str = "octo/shop",
    ref: str = "pull/7/merge",
    quoted: bool = False,
    told: str = "",
) -> list[str]:
    quote = "'" if quoted else ""
    return [
        "##[group]Run actions/checkout@v4",
        "with:",
        f"  repository: {repository}",
        "  token: ***",
        "  fetch-depth: 1",
        "##[endgroup]",
        f"Syncing repository: {repository}",
        "##[group]Getting Git version info",
        "Working directory is '/home/runner/_work/shop/shop'",
        "[command]/usr/bin/git version",
        "git version 2.51.0",
        "##[endgroup]",
        "##[group]Fetching the repository",
        "[command]/usr/bin/git -c protocol.version=2 fetch --no-tags --prune --no-recurse-submodules --depth=1 "
        f"origin +{commit}:refs/remotes/{ref}",
        f"From https://github.com/{repository}",
        f" * [new ref]         {commit} -> {ref}",
        "##[endgroup]",
        "##[group]Determining the checkout info",
        "##[endgroup]",
        "##[group]Checking out the ref",
        f"[command]/usr/bin/git checkout --progress --force refs/remotes/{ref}",
        f"Note: switching to 'refs/remotes/{ref}'.",
        "",
        f"HEAD is now at {commit[:7]} Merge {HEAD} into {BASE}",
        "##[endgroup]",
        f"[command]/usr/bin/git log -1 --format={quote}%H{quote}",
        f"{quote}{told or commit}{quote}",
    ]


def action(name: str, output: Sequence[str] = ()) -> list[str]:
    return [f"##[group]Run {name}", "with:", "  python-version: 3.12", "##[endgroup]", *output]


def script(lines: Sequence[str], output: Sequence[str], exit_code: int = 0, *, colour: bool = True) -> list[str]:
    shown = [f"\x1b[36;1m{line}\x1b[0m" if colour else line for line in lines]
    end = [f"##[error]Process completed with exit code {exit_code}."] if exit_code else []
    return [
        f"##[group]Run {lines[0]}",
        *shown,
        "shell: /usr/bin/bash -e {0}",
        "env:",
        "  FORCE_COLOR: 1",
        "##[endgroup]",
        *output,
        *end,
    ]


def clean_up() -> list[str]:
    return [
        "Post job cleanup.",
        "[command]/usr/bin/git version",
        "git version 2.51.0",
        "Cleaning up orphan processes",
    ]
