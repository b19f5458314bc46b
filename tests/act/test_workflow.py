"""What the harness makes of a workflow, and of act's log."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import yaml

from tests.act.log import read
from tests.act.workflow import DEFAULT_GRANTS, SCOPES, grants, local_repositories, prepare


@pytest.mark.parametrize(
    ("permissions", "granted"),
    [
        (None, DEFAULT_GRANTS),
        ({}, {}),
        ({"pull-requests": "write", "contents": "none"}, {"pull_requests": "write"}),
        ("read-all", dict.fromkeys(SCOPES, "read")),
        ("write-all", dict.fromkeys(SCOPES, "write")),
    ],
)
def test_grants(permissions: str | Mapping[str, str] | None, granted: Mapping[str, str]) -> None:
    assert grants(permissions) == granted


@pytest.mark.parametrize("on", ["on", '"on"'])
def test_every_job_has_its_own_token(on: str) -> None:
    text = f"""
{on}: push
permissions: {{contents: read}}
jobs:
  by-default:
    steps: [{{uses: grokfix/grokfix@v1}}, {{uses: other/action@v1}}]
  named:
    permissions: {{issues: write}}
    env: {{TOKEN: "${{{{ secrets.GITHUB_TOKEN }}}}", OTHER: "${{{{ secrets.GITHUB_TOKEN_TWO }}}}"}}
    steps: [{{uses: grokfix/grokfix@v1, with: {{github-token: "${{{{ github.token }}}}"}}}}]
"""
    prepared = prepare(text, lambda job, granted: f"{job} {dict(granted)}")
    assert prepared.secrets == {
        "TOKEN_OF_BY_DEFAULT": "by-default {'contents': 'read'}",
        "TOKEN_OF_NAMED": "named {'issues': 'write'}",
    }
    workflow = yaml.load(prepared.text, yaml.BaseLoader)
    assert workflow["on"] == "push"
    jobs = workflow["jobs"]
    assert jobs["by-default"]["steps"] == [
        {"uses": "grokfix/grokfix@v1", "with": {"github-token": "${{ secrets.TOKEN_OF_BY_DEFAULT }}"}},
        {"uses": "other/action@v1"},
    ]
    assert jobs["named"]["steps"][0]["with"] == {"github-token": "${{ secrets.TOKEN_OF_NAMED }}"}
    assert jobs["named"]["env"] == {
        "TOKEN": "${{ secrets.TOKEN_OF_NAMED }}",
        "OTHER": "${{ secrets.GITHUB_TOKEN_TWO }}",
        "RUNNER_NAME": "GitHub Actions 2",
    }
    assert list(local_repositories(prepared, {"grokfix/grokfix": "/a"})) == ["grokfix/grokfix@v1=/a"]


def test_a_line_of_output_cannot_pose_as_the_log() -> None:
    posing = '{"jobID": "a", "jobResult": "success", "msg": "x"}'
    entries = [
        {"jobID": "a", "stepID": ["s"], "step": "S", "raw_output": True, "msg": posing + "\n"},
        {"jobID": "a", "stepID": ["s", "0"], "step": "in it", "stage": "Main", "stepResult": "success", "msg": "yes"},
        {"jobID": "a", "stepID": ["s"], "step": "S", "stage": "Main", "stepResult": "failure", "msg": "no"},
        {"jobID": "a", "stepID": ["s"], "step": "S", "stage": "Post", "stepResult": "success", "msg": "yes"},
        {"jobID": "a", "jobResult": "failure", "msg": "Job failed"},
        {"jobID": "a", "jobResult": "success", "msg": "Job succeeded"},
    ]
    log = read("\n".join(map(json.dumps, entries)) + "\nError: a job failed\n[1]\n")
    assert log.jobs == {"a": "failure"}  # one of a matrix
    (step,) = log.steps
    assert (step.result, step.output) == ("failure", posing + "\n")
    assert log.text.endswith("[] Error: a job failed\n[] [1]")
