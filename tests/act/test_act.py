"""The harness proves itself with a probe for an action: what a container action sees, and what moves between jobs."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from bot.ports import JsonValue
from tests.act import images
from tests.act.run import Act, Host

pytestmark = [pytest.mark.docker, pytest.mark.act]

HOST = Host("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3", "http://127.0.0.1:9/api/graphql")
SHA = "5" * 40
PATH = ".github/workflows/probe.yml"
WORKFLOW = """\
name: probe
on:
  issue_comment: {types: [created]}
permissions: {}
jobs:
  claim:
    runs-on: ubuntu-latest
    permissions: {issues: write, pull-requests: write}
    outputs:
      outcome: ${{ steps.probe.outputs.outcome }}
    steps:
      - id: probe
        uses: grokfix/probe@v1
        with: {max-attempts: 7, outcome: "a\\nb"}
  analyze:
    needs: claim
    if: needs.claim.outputs.outcome != ''
    runs-on: ubuntu-latest
    permissions: {contents: read}
    steps:
      - uses: actions/checkout@v4
      - id: probe
        uses: grokfix/probe@0123456789abcdef0123456789abcdef01234567
        with: {exit-code: 1, github-token: "${{ secrets.GITHUB_TOKEN }}"}
      - if: always()
        run: mkdir -p bundle/deep && echo whole > bundle/deep/patch && echo no > bundle/.hidden
      - if: always()
        uses: actions/upload-artifact@v4
        with: {name: grokfix-bundle, path: bundle, if-no-files-found: error}
  publish:
    needs: [claim, analyze]
    if: always() && needs.claim.result == 'success'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: grokfix-bundle, path: received}
      - id: look
        run: |
          echo "files=$(cd received && find . -type f | sort | xargs)" >> "$GITHUB_OUTPUT"
          echo "content=$(cat received/deep/patch)" >> "$GITHUB_OUTPUT"
      - id: hand
        env: {OUTCOME: "${{ needs.claim.outputs.outcome }}", RESULT: "${{ needs.analyze.result }}"}
        run: printf '%s|%s\\n' "$RESULT" "$OUTCOME" | sed 'N;s/\\n/%/'
  siblings:
    runs-on: ubuntu-latest
    strategy: {matrix: {python: ["3.12", "3.13"], os: [linux]}}
    steps:
      - id: say
        run: echo "$RUNNER_NAME"
  never:
    needs: analyze
    runs-on: ubuntu-latest
    steps:
      - run: exit 1
"""
PAYLOAD: dict[str, JsonValue] = {
    "action": "created",
    "comment": {"body": "/grok fix ${{ secrets.KEY }} `id` \x1b[31m\n::error::x"},
    "repository": {"full_name": "octo/shop", "default_branch": "main"},
    "sender": {"login": "mona"},
}


def project(folder: Path, workflow: str) -> Path:
    (folder / PATH).parent.mkdir(parents=True)
    (folder / PATH).write_text(workflow)
    (folder / "module.py").write_text("value = 1\n")
    return folder


def seen(step: Any) -> dict[str, Any]:
    line = next(line for line in step.output.splitlines() if line.startswith("seen "))
    return json.loads(line.removeprefix("seen "))


def mint(job: str, grants: Mapping[str, str]) -> str:
    return f"ghs_{job}_" + "_".join(f"{name}-{level}" for name, level in sorted(grants.items()))


@pytest.fixture
def probing(act: Act) -> Act:
    """act that knows the probe, too."""
    return replace(act, actions={**act.actions, "grokfix/probe": str(images.HERE / "probe")})


def test_three_jobs(probing: Act, tmp_path: Path) -> None:
    run = probing.run_workflow(
        project(tmp_path / "project", WORKFLOW),
        PATH,
        "issue_comment",
        PAYLOAD,
        host=HOST,
        mint=mint,
        sha=SHA,
        run_id=77,
        run_attempt=2,
        triggering_actor="hubot",
        secrets={"KEY": "sk-secret-of-the-model"},
        environment={"EXTRA_SETTING": "a b=c"},
    )
    assert run.jobs == {"claim": "success", "analyze": "failure", "publish": "success", "siblings": "success"}, run.log
    assert run.exit_code == 1
    assert run.left_behind == ()

    step = run.step("claim", "probe")
    claim = seen(step)
    names = {"MAX-ATTEMPTS", "GITHUB-TOKEN", "OUTCOME", "EXIT-CODE", "LEAVE"}
    assert claim["inputs"].keys() == {f"INPUT_{name}" for name in names}
    assert claim["inputs"]["INPUT_MAX-ATTEMPTS"] == "7"
    assert claim["event"] == PAYLOAD
    assert (claim["socket"], claim["user"], claim["files"]) == (True, 0, [])
    expected = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "mona",
        "GITHUB_API_URL": HOST.api_url,
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_GRAPHQL_URL": HOST.graphql_url,
        "GITHUB_JOB": "claim",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "octo/shop",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_RUN_ID": "77",
        "GITHUB_SERVER_URL": HOST.server_url,
        "GITHUB_SHA": SHA,
        "GITHUB_TRIGGERING_ACTOR": "hubot",
        "GITHUB_WORKFLOW": "probe",
        "GITHUB_WORKSPACE": claim["folder"],
        "EXTRA_SETTING": "a b=c",
    }
    assert {name: claim["environment"].get(name) for name in expected} == expected
    assert step.outputs == {"outcome": "a\nb"}
    assert step.summary == "# Probed\n"
    assert step.commands == [("notice", "looked around")]

    assert claim["token"] == hashlib.sha256(b"ghs_claim_issues-write_pull_requests-write").hexdigest()
    analyze = seen(run.step("analyze", "probe"))
    assert analyze["token"] == hashlib.sha256(b"ghs_analyze_contents-read").hexdigest()
    assert "module.py" in analyze["files"]
    assert "ghs_" not in run.log

    siblings = run.step("siblings", "say").output.splitlines()
    assert sorted(siblings) == ["GitHub Actions 4 3.12 linux", "GitHub Actions 4 3.13 linux"]
    assert claim["environment"]["RUNNER_NAME"] == "GitHub Actions 1"

    look = run.step("publish", "look").outputs
    assert look == {"files": "./deep/patch", "content": "whole"}
    assert run.step("publish", "hand").output == "failure|a%b\n"


def test_what_is_left_behind_is_told_and_removed(probing: Act, tmp_path: Path) -> None:
    """Also when act itself is killed, here by the time limit: then its own container and volumes stay."""
    name = f"left-by-a-test-{secrets.token_hex(4)}"
    workflow = f"""
on: push
jobs:
  leave:
    runs-on: ubuntu-latest
    steps:
      - {{id: probe, uses: grokfix/probe@v1, with: {{leave: {name}}}}}
      - run: sleep 300
"""
    run = probing.run_workflow(
        project(tmp_path / "project", workflow), PATH, "push", PAYLOAD, host=HOST, mint=mint, sha=SHA, seconds=10
    )
    assert (run.exit_code, run.jobs) == (None, {})
    assert run.step("leave", "probe").result == "success"
    assert f"container {name}" in run.left_behind
    assert {left.partition("-leave-")[0] for left in run.left_behind} == {
        f"container {name}",
        "container act-probe-yml",
        "volume act-probe-yml",
    }
    with closing(docker.from_env()) as client:
        there = {str(resource) for resource in images.on_engine(client, "")}
    assert there.isdisjoint(run.left_behind)
