"""One call to the service behind ACTIONS_RESULTS_URL; laid beside each stand-in when it is staged."""

import base64
import json
import os
import urllib.request
from typing import Any

SERVICE = "twirp/github.actions.results.api.v1.ArtifactService/"


def call(method: str, body: dict[str, object]) -> Any:
    """The answer's JSON; the run and the job are those that the runtime token was made for."""
    token = os.environ["ACTIONS_RUNTIME_TOKEN"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
    scope = next(part for part in claims["scp"].split() if part.startswith("Actions.Results:"))
    _, run, job = scope.split(":")
    request = urllib.request.Request(
        os.environ["ACTIONS_RESULTS_URL"] + SERVICE + method,
        json.dumps({"workflow_run_backend_id": run, "workflow_job_run_backend_id": job, **body}).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
