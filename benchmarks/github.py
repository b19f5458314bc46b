"""What the action asks of GitHub for one repair, and how soon somebody sees that it is there.

    python -m benchmarks.github [--runs 10] [--base python:3.13-slim] [--delay 0.2]

Calls: `grokfix action` repairs the tests' shop (search engine, process sandbox) against the stateful GitHub server of
the tests, which checks every request and answer against GitHub's own description. A read counts as repeated where it
got the same answer once more (and no 304) in one job, a write where it wrote what stood there. Requests of git and
downloads from the storage host are counted apart: they are no calls of the API and cost nothing of its limits.

First reaction: seconds from the start of the process, or of the container, until the server has done the first write
that a person sees: the eyes on the comment, the check run on the commit of a failed run. Beside it `grokfix --version`,
and `python -c pass` in the same place. `--delay` adds that time to every answer, since this server sits on loopback and
GitHub does not. Medians, taken in turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.action_world import GRANTS, GREEN, READS, World
from tests.github_server import GitHubServer
from tests.github_server.exchange import Request, Response
from tests.github_server.faults import Delay, JournalEntry
from tests.github_server.payloads import of_comment, of_run

Event = Callable[[World], tuple[str, Mapping[str, Any]]]
"""Puts into the world what the event is about; its name and payload."""

ROOT = Path(__file__).parents[1]
HERE = (sys.executable, "-m", "bot")
IN_IMAGE = ("/opt/grokfix/bin/python", "-I", "-u", "/opt/grokfix/bin/grokfix")
SCENARIOS = ("failed run, first of all", "failed run, later", "`/grok fix`", "later, in three jobs")


@dataclass(frozen=True)
class Purpose:
    """What a call is for. floor: how many of them the API leaves no way around, in each of the scenarios."""

    calls: str  # regular expression over "METHOD /path/below/the/repository?query"
    words: str
    floor: tuple[int, int, int, int]


# Why these floors. A commit that GitHub signs is a tree, a commit and a reference: three calls, and a repair has three
# (ledger at the beginning, fix, ledger and trace at the end). Compare-and-swap needs the ledger as it stands once (its
# branch, its file if there is one); later it is known, and a reference that moved is refused. We ask for the branch
# again all the same: three jobs share no memory. The head is looked at twice: a fix on a moved one would be wrong. The
# run is asked for again (304) when it is analyzed, by another job perhaps. A comment is one call to write and one to
# end; that it is not there already, and by whom, costs two more: a run that died after writing it left it behind.
# The floor is that of one job; three jobs read settings, run and ledger each for themselves.
PURPOSES = (
    Purpose(r"GET /contents/\.github/", "settings of the default branch", (1, 1, 1, 1)),
    Purpose(r"GET /collaborators/", "may they?", (1, 1, 1, 1)),
    Purpose(r"GET /pulls/\d+$|GET /branches/(?!grokfix-data)", "head, now and before a push", (2, 2, 2, 2)),
    Purpose(r"GET /actions/runs/\d+$|GET /actions/runs\?", "the failed run", (1, 1, 1, 1)),
    Purpose(r"GET /branches/grokfix-data|GET /contents/ledger/", "the ledger, read", (1, 2, 1, 2)),
    Purpose(r"(POST|PATCH) /git/", "three commits: ledger, fix, ledger and trace", (9, 9, 9, 9)),
    Purpose(r"(GET|POST|PATCH) /check-runs", "check run: begun, ended", (2, 2, 2, 2)),
    Purpose(r"GET /actions/runs/\d+/(attempts|artifacts)", "jobs and artifacts of the run", (2, 2, 2, 2)),
    Purpose(r"GET /actions/(artifacts|jobs)/", "where report and log can be had", (2, 2, 2, 2)),
    Purpose(r"GET /actions/workflows/\d+/runs", "last green run; runs of the base branch", (1, 1, 2, 1)),
    Purpose(r"GET /git/(trees|blobs)/", "tree and files, for vetting once more", (2, 2, 2, 2)),
    Purpose(r"GET /compare/", "is the head in the merge that was tested?", (0, 0, 1, 0)),
    Purpose(r"GET /pulls\?", "is there a fix already?", (1, 1, 1, 1)),
    Purpose(r"POST /pulls", "the pull request", (1, 1, 1, 1)),
    Purpose(r"POST /issues/comments/\d+/reactions", "reactions: eyes, then the outcome", (0, 0, 2, 0)),
    Purpose(r"POST /issues/\d+/comments|PATCH /issues/comments", "the progress comment and its edits", (0, 0, 2, 0)),
    Purpose(r"GET /issues/\d+/comments|POST graphql", "is the comment there already, and who are we?", (0, 0, 0, 0)),
)


@dataclass(frozen=True)
class Call:
    """One request and its answer; `told` names what was asked and sent, `got` what came back."""

    entry: JournalEntry
    told: str
    got: str
    at: float

    def __str__(self) -> str:
        host = {"api": "", "graphql": "graphql"}.get(self.entry.host)
        path = host or self.entry.path.removeprefix("/repos/octo/shop")
        return f"{self.entry.method} {path}" + (f"?{self.entry.query}" if self.entry.query else "")

    @property
    def shape(self) -> str:
        """As `str`, with names for numbers and hashes."""
        return re.sub(r"\b[0-9a-f]{40}\b", "{sha}", re.sub(r"(?<=/)\d{4,}", "{id}", str(self)))


class WatchedServer(GitHubServer):
    """Notes what was answered, and when."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[Call] = []
        super().__init__(folder)

    def _answer(self, request: Request, entry: JournalEntry) -> Response:
        response = super()._answer(request, entry)
        entry.status = response.status
        told = hashlib.sha256(request.body).hexdigest()
        got = f"{response.status} {response.headers.get('ETag', '')}"
        self.calls.append(
            Call(
                entry,
                f"{request.method} {request.path} {sorted(request.query.items())} {told}",
                got,
                time.perf_counter(),
            )
        )
        return response

    @property
    def downloads(self) -> int:
        return sum(entry.host == "blobs" for entry in self.journal)


@contextmanager
def world() -> Iterator[tuple[WatchedServer, World]]:
    with tempfile.TemporaryDirectory() as folder, WatchedServer(Path(folder) / "git") as server:
        yield server, World.make(server, Path(folder) / "steps")


# --- events ---------------------------------------------------------------------------------------------------------


def failed_run(given: World) -> tuple[str, Mapping[str, Any]]:
    return "workflow_run", of_run(given.shop, given.failed_run())


def later_run(given: World) -> tuple[str, Mapping[str, Any]]:
    """Another branch was looked at before, so there is a ledger."""
    given.shop.commit("other", {"shop/cart.py": GREEN["shop/cart.py"]}, "Mended already", start="main")
    step = given.action("workflow_run", of_run(given.shop, given.failed_run("other")))
    assert step.outputs["outcome"] == "not_reproduced", step.log
    return failed_run(given)


def command(given: World) -> tuple[str, Mapping[str, Any]]:
    given.shop.commit("cheaper", {"shop/cart.py": _broken(given)}, "Break it", start="main")
    pull = given.shop.add_pull("cheaper", "main", title="Cheaper", user="maintainer")
    given.failed_run("cheaper", event="pull_request", pull_requests=[pull.number])
    comment = given.shop.add_comment(pull.number, "maintainer", "/grok fix")
    return "issue_comment", of_comment(given.shop, comment)


def _broken(given: World) -> str:
    content = given.shop.file("main", "shop/cart.py")
    assert content is not None
    return content.decode() + "\n"


ONE, THREE = ("all",), ("claim", "analyze", "publish")
REPAIRS = ((failed_run, ONE), (later_run, ONE), (command, ONE), (later_run, THREE))


# --- calls ----------------------------------------------------------------------------------------------------------


def count() -> None:
    counted = [repair(event, modes) for event, modes in REPAIRS]
    print(f"| what for | {' | '.join(f'{name} | floor' for name in SCENARIOS)} |")
    print(f"| --- |{' ---: | ---: |' * len(SCENARIOS)}")
    for purpose in PURPOSES:
        cells = [
            f"{sum(fits(purpose, call) for call in one.calls)} | {purpose.floor[n]}" for n, one in enumerate(counted)
        ]
        print(f"| {purpose.words} | {' | '.join(cells)} |")
    whole = [f"**{len(one.calls)}** | **{sum(each.floor[n] for each in PURPOSES)}**" for n, one in enumerate(counted)]
    print(f"| **calls of the API** | {' | '.join(whole)} |")
    for name, numbers in (
        ("of these answered 304", [sum(call.entry.status == 304 for call in one.calls) for one in counted]),
        ("repeated", [sum(len(repeated(job)) for job in one.jobs) for one in counted]),
        ("requests of git", [one.git for one in counted]),
        ("downloads from the storage host", [one.downloads for one in counted]),
    ):
        print(f"| {name} | {' | '.join(f'{number} | ' for number in numbers)} |")
    for name, one in zip(SCENARIOS, counted, strict=True):
        strange = [str(call) for call in one.calls if not any(fits(each, call) for each in PURPOSES)]
        assert not strange, f"calls without a purpose: {strange}"
        print(f"\n{name}:\n")
        for job in one.jobs:
            print("\n".join(f"{number:3} {call.entry.status} {call.shape}" for number, call in enumerate(job, 1)))
            print("".join(f"repeated: {call}\n" for call in repeated(job)))


@dataclass(frozen=True)
class Counted:
    """Calls of one repair, by job; requests of git; downloads."""

    jobs: Sequence[Sequence[Call]]
    git: int
    downloads: int

    @property
    def calls(self) -> list[Call]:
        return [call for job in self.jobs for call in job]


def repair(event: Event, modes: Sequence[str]) -> Counted:
    with world() as (server, given):
        name, payload = event(given)
        began, downloaded = len(server.calls), server.downloads
        jobs, trigger = [], ""
        for mode in modes:
            before = len(server.calls)
            token = given.token(READS if mode == "analyze" else GRANTS)
            step = given.action(
                name, payload, token=token, workspace=given.folder, run_id=1, mode=mode, trigger=trigger
            )
            trigger = trigger or step.outputs.get("trigger", "")
            jobs.append([call for call in server.calls[before:] if call.entry.host != "git"])
        assert step.outputs.get("outcome") == "repaired", step.log
        git = sum(call.entry.host == "git" for call in server.calls[began:])
        return Counted(jobs, git, server.downloads - downloaded)


def fits(purpose: Purpose, call: Call) -> bool:
    return re.match(purpose.calls, str(call)) is not None


def repeated(calls: Sequence[Call]) -> list[Call]:
    """Reads that got the same once more, writes of what was written last at that place."""
    read: set[tuple[str, str]] = set()
    written: dict[str, str] = {}
    again = []
    for call in calls:
        if call.entry.write:
            if written.get(call.entry.path) == call.told:
                again.append(call)
            written[call.entry.path] = call.told
        else:
            if (call.told, call.got) in read and call.entry.status != 304:
                again.append(call)
            read.add((call.told, call.got))
    return again


# --- first reaction -------------------------------------------------------------------------------------------------


def reactions(runs: int, base: str, delay: float) -> None:
    places: dict[str, str | None] = {"this machine": None}
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        places["container"] = image(base)
    print("| median seconds | this machine | container |\n| --- | ---: | ---: |")
    rows: dict[str, list[str]] = {}
    for built in places.values():
        floor, version, *taken = measured(runs, built, delay)
        rows.setdefault("floor: `python -c pass`", []).append(told(floor))
        rows.setdefault("`grokfix --version`", []).append(told(version))
        for name, seconds in zip(reaction_names(delay), taken, strict=True):
            beyond = statistics.median(seconds) - statistics.median(floor)
            rows.setdefault(name, []).append(f"{told(seconds)}, beyond the floor **{beyond:.2f}**")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


def reaction_names(delay: float) -> tuple[str, ...]:
    kinds = ("eyes on the comment", "check run of a failed run")
    return tuple(f"{kind}{late}" for late in ("", f", every answer {delay * 1000:.0f} ms late") for kind in kinds)


def told(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} – {max(seconds):.2f})"


def measured(runs: int, built: str | None, delay: float) -> list[list[float]]:
    """Seconds of the floor, of --version and of each reaction, taken in turns; the first turn is not counted."""
    taken: list[list[float]] = [[] for _ in range(2 + len(reaction_names(delay)))]
    for number in range(runs + 1):
        turn = [ended(built, "-c", "pass"), ended(built, "--version")]
        turn += [reaction(event, built, late) for late in (0.0, delay) for event in (command, failed_run)]
        if number:
            for column, seconds in zip(taken, turn, strict=True):
                column.append(seconds)
    return taken


def ended(built: str | None, *arguments: str) -> float:
    python = arguments[0] == "-c"
    if built is None:
        argv = [*(HERE[:1] if python else HERE), *arguments]
    else:
        program = IN_IMAGE[:1] if python else IN_IMAGE
        argv = ["docker", "run", "--rm", "--entrypoint", program[0], built, *program[1:], *arguments]
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def reaction(event: Event, built: str | None, delay: float) -> float:
    """Seconds until the first write that a person sees."""
    with world() as (server, given):
        name, payload = event(given)
        if delay:
            server.fault("", "", Delay(delay), times=1000)
        before = len(server.calls)
        place = given.folder / "first"
        variables = environment(given, name, payload, place)
        argv = [*HERE, "action"]
        if built is not None:
            names = [item for variable in variables if variable not in ("PATH", "HOME") for item in ("--env", variable)]
            mount = f"{given.folder}:{given.folder}"
            argv = ["docker", "run", "--rm", "--network", "host", "--volume", mount, *names, built]
        began = time.perf_counter()
        done = subprocess.run(argv, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        sight = "/reactions" if name == "issue_comment" else "/check-runs"
        first = next(call for call in server.calls[before:] if call.entry.write and call.entry.path.endswith(sight))
        return first.at - began


def environment(given: World, event: str, payload: Mapping[str, Any], place: Path) -> dict[str, str]:
    """What the runner sets for the job that claims."""
    place.mkdir(parents=True)
    (place / "event.json").write_text(json.dumps(payload))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(place / "event.json"),
        "GITHUB_REPOSITORY": "octo/shop",
        "GITHUB_RUN_ID": "900001",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SHA": given.shop.branches["main"],
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_ACTOR": "maintainer",
        "GITHUB_WORKFLOW": "grokfix",
        "GITHUB_WORKSPACE": str(place),
        "GITHUB_API_URL": given.server.api_url,
        "GITHUB_SERVER_URL": given.server.server_url,
        "GITHUB_GRAPHQL_URL": given.server.graphql_url,
        "INPUT_MODE": "claim",
        "INPUT_GITHUB-TOKEN": given.token(),
    }


def image(base: str) -> str:
    """Id of the action's image, built from the root Dockerfile."""
    argv = ["docker", "build", "--quiet", "--build-arg", f"BASE={base}", str(ROOT)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="starts counted, of each kind; 0: calls alone")
    parser.add_argument("--base", default="python:3.13-slim", help="base image of the action")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds added to every answer in the last two rows")
    options = parser.parse_args()
    count()
    if options.runs:
        print()
        reactions(options.runs, options.base, options.delay)


if __name__ == "__main__":
    main()
