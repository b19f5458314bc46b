"""The action as the runner starts it, in a process of its own, against the tests' GitHub server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.command_line import BUGGY
from tests.github_server import GitHubServer, JobSpec, Repository, TokenKind
from tests.github_server.faults import JournalEntry
from tests.github_server.payloads import of_comment
from tests.github_server.state import Comment, Run

SETTINGS = "version: 1\nsandbox:\n  kind: process\n"
"""On the default branch; the process sandbox keeps these tests quick. tests/e2e/test_action_act.py has containers."""

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4" failures="1" errors="0" skipped="0" time="0.05">
<testcase classname="tests.test_cart" name="test_total" time="0.001" file="tests/test_cart.py" line="3"/>
<testcase classname="tests.test_cart" name="test_discount" time="0.001" file="tests/test_cart.py" line="7"/>
<testcase classname="tests.test_cart" name="test_cheapest" time="0.001" file="tests/test_cart.py" line="11">
<failure message="assert 3 == 1&#10; +  where 3 = cheapest([3, 1, 2])">    def test_cheapest():
&gt;       assert cheapest([3, 1, 2]) == 1
E       assert 3 == 1
E        +  where 3 = cheapest([3, 1, 2])

tests/test_cart.py:13: AssertionError</failure></testcase>
<testcase classname="tests.test_cart" name="test_cheapest_of_one" time="0.001" file="tests/test_cart.py" line="15"/>
</testsuite></testsuites>
"""
LOG = (
    "2026-11-25T10:00:00.0000000Z ##[group]Run python -m pytest\n"
    "2026-11-25T10:00:00.1000000Z \x1b[36;1mpython -m pytest\x1b[0m\n"
    "2026-11-25T10:00:00.2000000Z ##[endgroup]\n"
    "2026-11-25T10:00:01.0000000Z FAILED tests/test_cart.py::test_cheapest - assert 3 == 1\n"
    "2026-11-25T10:00:01.1000000Z ##[error]Process completed with exit code 1.\n"
)
PATCH = """\
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -8,6 +8,6 @@
 def cheapest(prices):
     best = prices[0]
     for price in prices:
-        if price > best:
+        if price < best:
             best = price
     return best
"""
"""What mends the bug of the red commit."""
GREEN = BUGGY | {
    "shop/cart.py": BUGGY["shop/cart.py"].replace("price > best", "price < best"),
    # The plugins are those of our own development environment: importing them takes a second a run.
    "pyproject.toml": BUGGY["pyproject.toml"] + 'addopts = "-p no:hypothesispytest -p no:playwright -p no:anyio"\n',
}
BUG = {"shop/cart.py": BUGGY["shop/cart.py"]}
MOMENT = 1_700_000_000.0
"""When the first two commits of every world were made, seconds since the epoch."""
GRANTS = {
    "actions": "write",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "pull-requests": "write",
}
READS = {"actions": "read", "contents": "read", "issues": "read", "pull-requests": "read"}


@dataclass
class Step:
    """How a step ended, as the runner sees it."""

    exit_code: int
    log: str
    outputs: dict[str, str]
    summary: str


@dataclass
class World:
    """A repository with a bug on its default branch (or another one) and a green commit before it.

    Both commits have the same hashes in every world with the same files, so that a bundle of one fits on another.
    """

    server: GitHubServer
    shop: Repository
    folder: Path
    green: str
    red: str
    runs: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        server: GitHubServer,
        folder: Path,
        settings: str = SETTINGS,
        branch: str = "main",
        files: Mapping[str, str] = GREEN,
        bug: Mapping[str, str] = BUG,
    ) -> World:
        with at(server, MOMENT):
            shop = server.create("octo/shop", {**files, ".github/grokfix.yml": settings})
            green = shop.branches["main"]
            red = shop.commit(branch, bug, "Cheaper, it seemed", start="main")
        shop.collaborators |= {"maintainer": "write", "reader": "read"}
        shop.add_run("CI", head_sha=green, branch="main", event="push", conclusion="success", actor="maintainer")
        return cls(server, shop, folder, green, red)

    def failed_run(self, branch: str = "main", **options: Any) -> Run:
        """A red run of the tests on the branch's head, with a report and a log."""
        given: dict[str, Any] = {
            "head_sha": self.shop.branches.get(branch),
            "branch": branch,
            "event": "push",
            "conclusion": "failure",
            "actor": "maintainer",
            "artifacts": {"junit-reports": {"junit.xml": JUNIT.encode()}},
            "jobs": (JobSpec("test", "failure", (("Run python -m pytest", "failure"),), LOG),),
        }
        return self.shop.add_run("CI", **(given | options))

    def pull(self, **options: Any) -> int:
        """A red pull request from the branch "cheaper" (made where there is none) and its failed run; its number."""
        shop = self.shop
        if "cheaper" not in shop.branches:
            shop.commit("cheaper", BUG, "Break it", start="main")
        number = shop.add_pull("cheaper", "main", title="Cheaper", user="maintainer").number
        self.failed_run("cheaper", event="pull_request", pull_requests=[number], **options)
        return number

    def ask(self, number: int, body: str, *, user: str = "maintainer", **options: Any) -> tuple[Comment, Step]:
        """A comment on a pull request, and the step that it starts."""
        comment = self.shop.add_comment(number, user, body)
        return comment, self.action("issue_comment", of_comment(self.shop, comment), **options)

    def handed(self, trigger: str, bundle: Path) -> Path:
        """A new workspace with a copy of `bundle` that says it is of the claim in `trigger`."""
        self.runs += 1
        workspace = self.folder / f"workspace-{self.runs}"
        adopt(bundle, workspace / "grokfix-bundle", trigger)
        return workspace

    def publish(self, trigger: str, bundle: Path, **options: Any) -> Step:
        """The publishing job, with such a workspace."""
        given = {"mode": "publish", "trigger": trigger, "workspace": self.handed(trigger, bundle), **options}
        return self.action("workflow_run", {}, **given)

    def token(self, grants: Mapping[str, str] = GRANTS, kind: TokenKind = TokenKind.ACTIONS) -> str:
        return self.server.token(kind, dict(grants))

    def action(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        token: str | None = None,
        run_id: int | None = None,
        workspace: Path | None = None,
        seconds: float = 150,
        environment: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Step:
        """Run the step to its end; `run_id` None: of a new run. inputs: names with underscores for hyphens."""
        started = self.start(
            event,
            payload,
            token=token,
            run_id=run_id,
            workspace=workspace,
            environment=environment,
            **inputs,
        )
        return started.wait(seconds)

    def start(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        token: str | None = None,
        run_id: int | None = None,
        workspace: Path | None = None,
        environment: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Started:
        self.runs += 1
        place = self.folder / f"step-{self.runs}"
        place.mkdir(parents=True)
        (place / "event.json").write_text(json.dumps(payload))
        (place / "workspace").mkdir()
        for name in ("output", "summary"):
            (place / name).touch()
        given = {"github-token": self.token() if token is None else token, "engine": "search"}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_RUN_ID": str(run_id or 900_000 + self.runs),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SHA": self.shop.branches["main"],
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_ACTOR": "maintainer",
            "GITHUB_WORKFLOW": "grokfix",
            "GITHUB_WORKSPACE": str(workspace or place / "workspace"),
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_SERVER_URL": self.server.server_url,
            "GITHUB_GRAPHQL_URL": self.server.graphql_url,
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "RUNNER_NAME": "runner-1",
            **{f"INPUT_{name.upper()}": value for name, value in given.items()},
            **self.environment,
            **(environment or {}),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "action"],
            cwd=Path(__file__).parents[1],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Started(process, place)


@dataclass(frozen=True)
class Analyzed:
    """A failed run on the default branch that was repaired, whole. bundle: its folder. journal: what it asked for."""

    world: World
    failed: Run
    step: Step
    bundle: Path
    journal: tuple[JournalEntry, ...]


@dataclass
class Started:
    """A step that runs."""

    process: subprocess.Popen[bytes]
    place: Path

    def wait(self, seconds: float = 150) -> Step:
        try:
            log, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            log, _ = self.process.communicate()
            raise AssertionError(f"the action did not end in {seconds} s:\n{log.decode(errors='replace')}") from None
        return Step(
            self.process.returncode,
            log.decode(errors="replace"),
            outputs(self.place / "output"),
            (self.place / "summary").read_text(),
        )


@contextmanager
def at(server: GitHubServer, moment: float) -> Iterator[None]:
    """The server's clock stands still meanwhile, so that the commits made have the same hashes every time."""
    before = server.world.now
    server.world.now = lambda: moment  # type: ignore[method-assign]
    try:
        yield
    finally:
        server.world.now = before  # type: ignore[method-assign]


def adopt(bundle: Path, folder: Path, trigger: str) -> None:
    """Copy a bundle, and have it say that it is of another claim: only what was found stays."""
    shutil.copytree(bundle, folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["claim"] = json.loads(trigger)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def outputs(path: Path) -> dict[str, str]:
    """As the runner reads them: NAME<<DELIMITER, lines, DELIMITER."""
    found: dict[str, str] = {}
    lines = path.read_text().split("\n")
    while lines and (first := lines.pop(0)):
        name, _, delimiter = first.partition("<<")
        value: list[str] = []
        while (line := lines.pop(0)) != delimiter:
            value.append(line)
        found[name] = "\n".join(value)
    return found


def ledger(world: World) -> list[dict[str, Any]]:
    """The lines of the ledger, in the order of the file."""
    if "grokfix-data" not in world.shop.branches:
        return []
    return [
        json.loads(line)
        for path, content in world.shop.seen("grokfix-data").files.items()
        if path.startswith("ledger/")
        for line in content.decode().splitlines()
    ]
