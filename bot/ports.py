"""The ports: what the rooms need from outside, and nothing about who gives it. Adapters implement these.

Types of later rooms appear in annotations only (imported for type checking), so this module depends on evidence alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from bot.evidence.types import TestId, TestReport

if TYPE_CHECKING:
    from bot.diagnose.types import Evidence
    from bot.patch.types import Applied, Refusal
    from bot.propose.types import Attempt, NoProposal, Proposal

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

Overlay: TypeAlias = Mapping[str, bytes | None]
"""Whole file contents by repository path (POSIX); None deletes the file."""


# --- time -----------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time comes in as an argument."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; only differences mean anything."""
        ...

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def sleep(self, seconds: float) -> None: ...


# --- recording ------------------------------------------------------------------------------------------------------


class EventKind(StrEnum):
    """Kinds of trace events (DESIGN, trace)."""

    RUN = "run"
    NOTE = "note"
    EVIDENCE = "evidence"
    BASE = "base"
    LOCATIONS = "locations"
    REQUEST = "request"
    STREAM = "stream"
    REPLY = "reply"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    PROPOSAL = "proposal"
    APPLIED = "applied"
    VET = "vet"
    SANDBOX_RUN = "sandbox_run"
    GATE = "gate"
    ATTEMPT = "attempt"
    USAGE = "usage"
    OUTCOME = "outcome"


class Recorder(Protocol):
    """Takes events as they happen: the trace file and the live view both implement it."""

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        """Append one event and return its sequence number."""
        ...


# --- sandbox --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """A database or broker that the suite needs; reachable on loopback at its own ports.

    ready: argv run inside the service's container until it exits 0, at most `ready_seconds`.
    """

    image: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    ready_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class SetUp:
    """How the environment of a suite is made.

    image: base image reference, pulled when absent.
    commands: argv lists run in order in the workspace with a network; none in the process sandbox unless configured.
    key_files: repository paths (lock files, pyproject) whose contents enter the cache key.
    environment: variables of set-up and of every later run.
    secrets: name → bytes, files at /run/secrets/NAME during set-up only; must be empty where `trusted` is False.
    allow: hosts or networks in private ranges that set-up may reach (package mirrors).
    domain: trust domain in the cache key ("local", "default-branch", "fork:OWNER").
    network: boxes may be opened with the network of set-up (public internet, this machine and its neighbours closed);
    only where `trusted`.
    """

    image: str
    commands: tuple[tuple[str, ...], ...] = ()
    key_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    allow: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    trusted: bool = False
    domain: str = "local"
    seconds: float = 900.0
    network: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a run. Bytes, except cpus (cores) and pids (count). workspace None: max(1 GiB, 3 × checkout)."""

    memory: int = 2 << 30
    cpus: float = 2.0
    pids: int = 512
    workspace: int | None = None
    tmp: int = 512 << 20
    file_size: int = 512 << 20
    output: int = 4 << 20
    runtime: str | None = None  # e.g. "runsc"
    allow_missing: bool = False  # go on where the engine cannot enforce a limit


@dataclass(frozen=True, slots=True)
class Command:
    """One command in a box: argv only, never a shell line. `cwd` is relative to the workspace.

    seconds: wall-clock limit; at the limit the whole box is killed and `Execution.timed_out` is set.
    """

    argv: tuple[str, ...]
    seconds: float
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class Execution:
    """What happened. `output`: stdout and stderr interleaved, decoded with replacement; past the cap head and tail.

    exit_code: the process's own; 128 + signal where a signal ended it; -1 where the box was killed for time.
    """

    exit_code: int
    output: str
    seconds: float
    timed_out: bool = False
    oom_killed: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """One test run, read: `report` is None where none was written or it could not be believed (`problem` says why)."""

    execution: Execution
    report: TestReport | None
    problem: str = ""
    run_id: str = ""


class Cancelled(Exception):  # noqa: N818 (a control-flow signal, like KeyboardInterrupt)
    """The run was cancelled from outside; every resource has been given back."""


class Box(Protocol):
    """One fresh place to run commands in: the tree of its environment plus an overlay. Context manager.

    workspace, control: absolute paths as seen by commands inside. `control` lies outside the repository and takes the
    runner's own files and reports.
    """

    workspace: str
    control: str

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files below `control` (relative POSIX paths)."""
        ...

    def execute(self, command: Command) -> Execution:
        """Run to its end, its time limit or cancellation. After a time-out the box is dead: further calls raise
        SandboxError. No process started by the command is alive after the box is closed."""
        ...

    def collect(self, path: str, *, limit: int = 64 << 20) -> bytes | None:
        """Contents of a regular file below `control`, or None where there is none.

        A symbolic link, FIFO, device or a file over `limit` bytes raises SandboxError: it is never followed.
        Works after a time-out for what had been written, where the adapter can still read it (else None)."""
        ...

    def close(self) -> None:
        """Kill everything in it and give everything back; idempotent."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Environment(Protocol):
    """A set-up environment bound to one tree. Context manager; closing it closes prepared boxes."""

    name: str  # "docker" | "process"
    isolated: bool
    description: str  # one line for the report: image, limits, network, quota; or why it is not a sandbox
    no_network: str  # why no box here can have a network, and what to do; "" where one can

    def open(self, overlay: Overlay | None = None, *, network: bool = False) -> Box:
        """A fresh box with the tree, then the overlay, in its workspace; takes the prepared one where there is.

        network: with a way out, where `no_network` says nothing against it (else SandboxError)."""
        ...

    def prepare(self) -> None:
        """Begin preparing the next box in the background (returns at once; at most one is kept)."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sandbox(Protocol):
    """Makes environments. `cancel` may be called from a signal handler or another thread: running commands end with
    `Cancelled` and everything is given back."""

    name: str
    isolated: bool

    def set_up(self, plan: SetUp, tree: Path, limits: Limits) -> Environment:
        """Environment for the clean checkout at `tree`; SandboxError with the tail of the log where set-up fails."""
        ...

    def sweep(self) -> int:
        """Remove leftovers of killed runs (never those of live ones) and return how many there were."""
        ...

    def cancel(self) -> None: ...


# --- model ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent. Tokens are counts; `completion_tokens` includes reasoning tokens; `cost_usd` None = unknown."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost_usd is None or other.cost_usd is None else self.cost_usd + other.cost_usd
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            cost,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call. `parameters`: JSON schema of its arguments, an object without further members."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model wrote it. `arguments` is text that should be a JSON object, and may be anything."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; role is "system", "user", "assistant" or "tool".

    tool_calls: of an assistant's message. tool_call_id: which call a tool's message answers.
    """

    role: str
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """JSON schema that the reply is asked to follow; readers stay tolerant, for not every endpoint obeys."""

    name: str
    schema: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. `seconds` is the deadline of the whole reply. tools and schema are never given together.

    must_call: the reply has to be a call of a tool (where the endpoint can be told so).
    paid_tries: how many tries may cost tokens: a stream that broke is paid for and asked for again within the budget.
    """

    messages: tuple[Message, ...]
    schema: ReplySchema | None = None
    tools: tuple[ToolSpec, ...] = ()
    must_call: bool = False
    max_completion_tokens: int = 32_000
    seconds: float = 900.0
    conversation: str = ""  # constant in a run, for the endpoint's cache
    paid_tries: int = 8


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What came back. `model` is the served model by the endpoint's own word. `finish_reason` "" where it told none.

    provider: which of several endpoints answered, by its configured name or else its host.
    """

    text: str
    reasoning: str
    model: str
    finish_reason: str
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    provider: str = ""


class ReplyPart(StrEnum):
    """What a piece of a streamed reply is a piece of. RESTART: what came before is void, the request is repeated."""

    TEXT = "text"
    REASONING = "reasoning"
    TOOL = "tool"
    RESTART = "restart"


OnPart: TypeAlias = Callable[[ReplyPart, str], None]
"""Takes pieces of a reply as they arrive."""


class Model(Protocol):
    """A chat model. Errors are ModelError: `usage` says what the failed calls cost, `fault` what kind it is."""

    name: str

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        """`on_part` receives text, reasoning and tool calls as they arrive."""
        ...


class History(Protocol):
    """What changed lately in the repository, for whoever looks for a cause. Texts are bounded and untrusted."""

    def log(self, path: str = "", limit: int = 20) -> tuple[CommitInfo, ...]:
        """Newest first; those that touched `path` ("" = all). As far back as the clone goes."""
        ...

    def show(self, revision: str, path: str = "") -> str | None:
        """Message and diff of one commit, of `path` alone where it is given; None for an unknown revision."""
        ...


# --- proposing ------------------------------------------------------------------------------------------------------


class Bench(Protocol):
    """What a proposer may do to the world: every use is charged to the budget and recorded."""

    tree: Path  # the clean checkout at base; read only

    def try_patch(self, text: str) -> Applied | Refusal:
        """Place a unified diff on the base tree, strictly, and read back from git what it changed."""
        ...

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        """Run the selected tests (None: all) in a fresh box."""
        ...

    def open(self, overlay: Overlay | None = None) -> Box:
        """A fresh box for a proposer's own workers; the caller closes it."""
        ...

    def seconds_left(self) -> float:
        """Seconds of the budget that are left for this repair."""
        ...


class Proposer(Protocol):
    """Proposes repairs: the search engine and the model implement it."""

    name: str

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        """The next proposal, given what was tried and how it fared."""
        ...


# --- the code host --------------------------------------------------------------------------------------------------


class Permission(StrEnum):
    """A person's permission on the repository, from least to most."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def may_write(self) -> bool:
        return self in (Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN)


class TokenKind(StrEnum):
    """Whose token it is, by the login it shows: what it starts and may do depends on that."""

    ACTIONS = "actions"  # github-actions[bot]: starts no workflow by pushing
    APP = "app"  # another [bot]: starts workflows, lives 60 minutes
    USER = "user"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who we are to the code host. `login` "" where it would not say."""

    login: str
    kind: TokenKind


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of a workflow. `status`: queued, in_progress, completed. `conclusion`: "" until completed.

    head_repository: "owner/name" of where the head commit lives, "" where that repository is gone. event: what started
    it (push, pull_request, …). pull_requests: numbers, none for forks. created_at: ISO 8601. path: the workflow file.
    started_at: when this attempt began (`run_started_at`), ISO 8601, "" where it is not told.
    """

    id: int
    attempt: int
    workflow_id: int
    name: str
    path: str
    event: str
    status: str
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: str
    actor: str
    triggering_actor: str
    url: str
    created_at: str
    pull_requests: tuple[int, ...] = ()
    started_at: str = ""


@dataclass(frozen=True, slots=True)
class JobStep:
    """One step of a job; `number` counts from 1 as the log's folders do."""

    number: int
    name: str
    conclusion: str


@dataclass(frozen=True, slots=True)
class WorkflowJob:
    """One job of a run; a matrix variant is in its name: "test (3.12, ubuntu-latest)". `status`, `conclusion`: a run's.

    started_at, completed_at: ISO 8601, "" where not told. attempt: of its run, 0 where not told. A re-run of the failed
    jobs lists those that passed again, with the times of the attempt that really ran them.
    """

    id: int
    name: str
    conclusion: str
    url: str
    steps: tuple[JobStep, ...] = ()
    status: str = ""
    started_at: str = ""
    completed_at: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class RunsPage:
    """One page of a listing of runs, newest first. total: runs that the question has, of which a code host may page
    through fewer (GitHub: 1000). etag: to ask the same again with, "" where there is none. more: a page follows."""

    runs: tuple[WorkflowRun, ...]
    total: int
    etag: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class NotModified:
    """What was asked for is still what it was when its etag was given."""


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """An artifact of a run, of any of its attempts. `size`: packed bytes. `created_at`: ISO 8601, "" if not told."""

    id: int
    name: str
    size: int
    expired: bool = False
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that could not be had, and why, for the evidence's problems: expired, too large, gone, forbidden."""

    reason: str


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request. `state`: open or closed. `merge_sha`: the test merge (open) or the merge (merged), "" if none."""

    number: int
    state: str
    merged: bool
    draft: bool
    title: str
    body: str
    head_branch: str
    head_sha: str
    head_repository: str
    base_branch: str
    base_sha: str
    merge_sha: str
    author: str
    url: str


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that is no pull request. `state`: open or closed."""

    number: int
    title: str
    body: str
    state: str
    author: str
    url: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on an issue or pull request."""

    id: int
    author: str
    body: str
    url: str


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit of a comparison; `date` is the committer's, ISO 8601."""

    sha: str
    author: str
    date: str
    message: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """base...head. `commits`: those that head has and base has not, oldest first, at most 250."""

    ahead_by: int
    behind_by: int
    merge_base: str
    commits: tuple[CommitInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit's tree; `mode` as git writes it ("100644"); `sha` of the blob."""

    mode: str
    sha: str


@dataclass(frozen=True, slots=True)
class FileWrite:
    """One file of a commit to make; `content` None deletes it."""

    content: bytes | None
    mode: str = "100644"


@dataclass(frozen=True, slots=True)
class Denied:
    """The code host refused a write that the repository's settings or the token do not allow; its own words."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on lines of a file in a check run. `level`: notice, warning, failure."""

    path: str
    start_line: int
    end_line: int
    level: str
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """A check run as it shall stand. `conclusion` "": in progress; or success, failure, neutral, cancelled, skipped."""

    name: str
    head_sha: str
    title: str
    summary: str
    details_url: str = ""
    conclusion: str = ""
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionsSettings:
    """How the repository's settings let workflows work; None: this token may not read it.

    allowed: "all", "local_only" or "selected" actions may be used. sha_pinning: whether actions must be pinned by SHA.
    may_open_pull_requests: the setting "Allow GitHub Actions to create and approve pull requests".
    """

    enabled: bool | None = None
    allowed: str | None = None
    sha_pinning: bool | None = None
    may_open_pull_requests: bool | None = None


class Forge(Protocol):
    """One repository on a code host. Bodies and texts go out as given: whoever renders them makes them harmless.

    Reads: None (or an empty tuple) where there is no such thing. Writes are safe to call again after a crash where
    their docstring says so. Everything else that goes wrong is ForgeError, whose `status` is the HTTP status (0: no
    answer). An adapter retries reads; a write only after it has looked that the first did not land.
    """

    repository: str  # "owner/name"
    server_url: str  # "https://github.com"; where people and git go

    # who
    def viewer(self) -> Viewer: ...
    def default_branch(self) -> str: ...
    def calls_left(self) -> int | None:
        """Requests that the host would still answer before its limit is renewed, by its last answer; None: not told."""
        ...

    def permission(self, login: str) -> Permission:
        """ForgeError where the code host does not say (404 is NONE)."""
        ...

    # runs
    def run(self, run_id: int) -> WorkflowRun | None: ...
    def runs(
        self, workflow_id: int | None, *, branch: str = "", head_sha: str = "", status: str = "", limit: int = 30
    ) -> tuple[WorkflowRun, ...]:
        """Newest first, at most `limit` (≤ 100: one page); `status` may be a conclusion (success, failure).
        workflow_id None: of every workflow."""
        ...

    def runs_page(self, created: str, *, workflow: str = "", page: int = 1, etag: str = "") -> RunsPage | NotModified:
        """Runs created in a span "A..B" of ISO 8601 times, both ends counted ("*": open), newest first, 100 a page.

        workflow: file name, "" = of every workflow. etag: of the same question's earlier answer; NotModified where it
        would be answered alike, which costs no call of the limit. A workflow that is not there has no runs."""
        ...

    def jobs(self, run_id: int, attempt: int) -> tuple[WorkflowJob, ...]: ...
    def job_log(self, job_id: int, limit: int) -> bytes | Missing:
        """At most `limit` bytes: head and tail, with a line between that says what was cut."""
        ...

    def artifacts(self, run_id: int) -> tuple[ArtifactInfo, ...]: ...
    def download(self, artifact: ArtifactInfo, limit: int) -> bytes | Missing:
        """The zip archive, in memory; Missing where it is larger than `limit` bytes."""
        ...

    def cancel_run(self, run_id: int) -> bool:
        """False where it had ended already. Safe to repeat."""
        ...

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Denied | None:
        """Start a workflow by its file name."""
        ...

    # contents
    def file(self, path: str, ref: str) -> bytes | None: ...
    def resolve(self, ref: str) -> str | None:
        """SHA of the commit that a branch, tag or SHA names."""
        ...

    def branch(self, name: str) -> str | None:
        """SHA of a branch's head, always asked anew."""
        ...

    def tree(self, commit: str) -> Mapping[str, TreeEntry]:
        """Every file of a commit by path; ForgeError where the host cuts the listing."""
        ...

    def blob(self, sha: str) -> bytes: ...
    def compare(self, base: str, head: str) -> Comparison | None: ...

    # commits and branches
    def create_commit(
        self, parent: str | None, files: Mapping[str, FileWrite], message: str, also: str | None = None
    ) -> str | Denied:
        """SHA of a new commit on `parent` (None: a root commit) that no branch holds yet; signed where the host signs.
        also: a second parent, whose files do not enter: so a branch that stands there moves forward to `parent`'s tree
        with `files`. Safe to repeat."""
        ...

    def create_branch(self, name: str, sha: str) -> bool | Denied:
        """False where it exists already (at whatever commit)."""
        ...

    def move_branch(self, name: str, sha: str) -> bool | Denied:
        """Fast-forward only; False where that is none: somebody was faster. Safe to repeat."""
        ...

    # pull requests, comments, checks
    def pull_request(self, number: int) -> PullRequest | None: ...
    def pull_requests(self, head_branch: str) -> tuple[PullRequest, ...]:
        """All from that branch of this repository, open and closed, newest first."""
        ...

    def open_pull_request(self, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest | Denied:
        """The open one from `head` to `base` where there is one already. Safe to repeat."""
        ...

    def edit_pull_request(self, number: int, title: str, body: str) -> Denied | None: ...
    def add_labels(self, number: int, labels: Sequence[str]) -> Denied | None: ...
    def request_reviewers(self, number: int, logins: Sequence[str]) -> Denied | None:
        """A login with a slash is a team ("org/team")."""
        ...

    def issues(self, labels: Sequence[str] = (), *, state: str = "open") -> tuple[Issue, ...]:
        """Those that bear every one of `labels`, newest first; state: open, closed or all. Pull requests are left out.
        A listing, not a search: what was opened a moment ago is in it."""
        ...

    def issue(self, number: int) -> Issue | None:
        """None for a pull request too."""
        ...

    def open_issue(self, title: str, body: str, labels: Sequence[str], marker: str) -> Issue | Denied:
        """Open an issue; `marker` (a part of `body`) finds it again, so that it is safe to repeat: an open one of our
        own that bears marker and labels is brought to this title and body instead."""
        ...

    def edit_issue(self, number: int, title: str, body: str) -> Denied | None: ...
    def comments(self, number: int) -> tuple[Comment, ...]: ...
    def comment(self, number: int, body: str, marker: str) -> Comment | Denied:
        """Add a comment; `marker` (a part of `body`) finds it again, so that it is safe to repeat: one of our own that
        bears it already is edited instead."""
        ...

    def edit_comment(self, comment_id: int, body: str) -> Denied | None: ...
    def react(self, comment_id: int, content: str) -> Denied | None:
        """`content`: eyes, rocket, confused, +1, -1. Safe to repeat."""
        ...

    def check(self, check: Check, check_id: int | None = None) -> int | Denied:
        """Create a check run, or bring `check_id` to this state; returns its id."""
        ...

    # the repository's settings: reads for `doctor`, never needed for a repair
    def actions_settings(self) -> ActionsSettings:
        """What may not be read (403, 404) is None. Source: actions/permissions and actions/permissions/workflow."""
        ...

    def branch_rules(self, branch: str) -> tuple[str, ...] | None:
        """What holds for a branch of that name, which need not exist: the rulesets' rule types (creation, update,
        pull_request, required_signatures, …) and "protected" where classic protection covers it; None where this
        token may not read it. Source: rules/branches/BRANCH and branches/BRANCH."""
        ...

    def has_secret(self, name: str) -> bool | None:
        """Whether workflows of the repository get an Actions secret of that name, its own or its organisation's (the
        value is never read); None where this token may not say. Source: actions/secrets, organization-secrets."""
        ...
