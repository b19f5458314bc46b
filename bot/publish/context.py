"""What a pull request says beside the result: where it comes from, what its checks wait for, where all is kept."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bot.ports import Denied, TokenKind
from bot.publish.untrusted import cell, code, fence, markdown, one_line

SETTING = "Allow GitHub Actions to create and approve pull requests"
"""The repository's setting without which the workflow's own token opens no pull request, by its exact name."""

_MOST_TESTS = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """Addresses of what is kept on the data branch: the page that shows the trace, and the files by name.

    left_out: a sentence on what is not kept and why, "" where all is.
    """

    page: str
    files: tuple[tuple[str, str], ...] = ()
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class PublishContext:
    """marker: the HTML comment that finds the text again. branch: where the fix was pushed, "" where it was not.

    base: branch that the fix is for. pull_request: number of the one whose head that is, None = of none.
    failed_run_url, run_url: the run that failed, the run that works on it. token: whose pushed it. dispatched: the
    workflow that was started on the branch, "" = none. tested: commit that was under test where it is another than the
    head (a merge). merged_with: "BASE@sha" it was merged with, "" = unknown. merge_only: the failure shows on the merge
    alone. on_base: a sentence where it fails on the base branch too. notes: further sentences; these three texts are
    taken for untrusted.
    """

    marker: str
    run_url: str
    failed_run_url: str = ""
    base: str = ""
    pull_request: int | None = None
    branch: str = ""
    token: TokenKind = TokenKind.UNKNOWN
    dispatched: str = ""
    tested: str = ""
    merged_with: str = ""
    merge_only: bool = False
    on_base: str = ""
    notes: tuple[str, ...] = ()
    kept: Kept | None = None


def origin(context: PublishContext) -> str:
    """One paragraph: which failure this is about, and who looked into it."""
    parts = []
    if context.failed_run_url:
        verb = "Fixes failing run" if context.branch else "Failing run:"
        parts.append(f"{verb} {context.failed_run_url}")
    if context.base:
        head_of = f", the head of #{context.pull_request}" if context.pull_request is not None else ""
        parts.append(f"for the branch {code(context.base)}{head_of}")
    parts.append(f"worked on in {context.run_url}")
    said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def circumstances(context: PublishContext) -> Iterator[str]:
    """Quoted remarks that a reviewer must see before anything else."""
    if context.tested:
        merge = f" with {code(context.merged_with)}" if context.merged_with else ""
        if context.merge_only:
            yield f"> **It breaks only when merged{merge}:** seen and verified on that merge, {code(context.tested)}."
        else:
            tested = code(context.tested)
            which = f"{merge} that the run tested," if context.failed_run_url else f"{merge},"
            yield f"> Verified on the merge{which} {tested}; on the head alone it was not run."
    if context.on_base:
        yield f"> **Already failing on the base branch:** {cell(context.on_base, 600)}"
    yield from (f"> {cell(note, 600)}" for note in context.notes[:10])


def what_starts(context: PublishContext) -> str:
    """What the token that pushed starts and does not start."""
    match context.token:
        case TokenKind.ACTIONS:
            text = (
                "It was pushed with the workflow's own token, so **its checks wait for approval**: somebody with write "
                "access starts them with the button “Approve workflows to run” below."
            )
        case TokenKind.APP:
            text = "It was pushed with an App's token: its checks start by themselves."
        case TokenKind.USER:
            text = "It was pushed with a person's token: its checks start by themselves."
        case TokenKind.UNKNOWN:
            text = (
                "Whether its checks start by themselves depends on the token it was pushed with; where none appears, "
                "closing and reopening this pull request starts them."
            )
    return text + (f" {code(context.dispatched)} was started on its branch besides." if context.dispatched else "")


def try_locally(branch: str, tests: Sequence[str], runner: str = "pytest") -> str:
    """One command that fetches a pushed branch and runs the tests that prove it. runner: "unittest" for that one, which
    takes files as pytest does."""
    named = [each for each in tests if each[:1] not in ("-", "@")]  # else an option of pytest's, by a forged name
    selected = " ".join(shlex.quote(one_line(each, 400)) for each in named[:_MOST_TESTS])
    module = "unittest" if runner == "unittest" else "pytest"
    fetched = f"git fetch origin {shlex.quote(branch)} && git switch --detach FETCH_HEAD"
    return fence(f"{fetched} && python -m {module} {selected}".rstrip(), "sh", limit=4_000)


def evidence_kept(context: PublishContext, trace_sha256: str) -> str:
    """Where the whole trace is, and its hash."""
    if context.kept is None:
        return f"Trace: SHA-256 {code(trace_sha256)}, in the artifacts of {context.run_url}." if trace_sha256 else ""
    links = " · ".join(f"[{name}]({address})" for name, address in context.kept.files)
    digest = f" SHA-256 of trace.jsonl: {code(trace_sha256)}." if trace_sha256 else ""
    left_out = f" {markdown(context.kept.left_out)}" if context.kept.left_out else ""
    return (
        f"The whole trace: [every step of it]({context.kept.page}){f' · {links}' if links else ''}.{digest}{left_out}"
    )


def compare_url(server_url: str, repository: str, base: str, branch: str) -> str:
    """The page on which a person opens the pull request that the token might not."""
    return f"{server_url}/{repository}/compare/{quote(base, safe='/')}...{quote(branch, safe='/')}?expand=1"


def not_opened(compare: str, denied: Denied) -> str:
    """Why there is a branch and no pull request, and what to do about both."""
    advice = (
        f" So that it opens by itself the next time, tick “{SETTING}” under Settings → Actions → General → Workflow "
        "permissions (an organisation may have to allow it first), and give the job `pull-requests: write`."
    )
    return (
        "**The fix is pushed, the pull request is not open:** the code host refused it "
        f"({denied.status}: {code(denied.message, 200)}). [Open it from the branch]({compare})."
        + (advice if denied.status == 403 else "")
    )
