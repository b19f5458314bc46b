"""Workflow runs: their jobs, logs and artifacts; cancelling and starting them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from bot.adapters import github_download
from bot.adapters.github_api import repeatable
from bot.adapters.github_objects import artifact, items, number, workflow_job, workflow_run
from bot.adapters.github_part import Part
from bot.errors import ForgeError
from bot.ports import ArtifactInfo, Denied, Missing, NotModified, RunsPage, WorkflowJob, WorkflowRun

_READ = "actions: read"
_WRITE = "actions: write"


class Runs(Part):
    """What CI did."""

    def run(self, run_id: int) -> WorkflowRun | None:
        found = self._api.get(f"{self._repo}/actions/runs/{run_id}", need=_READ)
        return None if found is None else workflow_run(found)

    def runs(
        self, workflow_id: int | None, *, branch: str = "", head_sha: str = "", status: str = "", limit: int = 30
    ) -> tuple[WorkflowRun, ...]:
        below = "runs" if workflow_id is None else f"workflows/{workflow_id}/runs"
        wanted = {"branch": branch, "head_sha": head_sha, "status": status}
        asked = {name: value for name, value in wanted.items() if value}
        found = self._api.get(f"{self._repo}/actions/{below}", {**asked, "per_page": min(limit, 100)}, need=_READ)
        return tuple(workflow_run(run) for run in items(found, "workflow_runs"))[:limit]

    def runs_page(self, created: str, *, workflow: str = "", page: int = 1, etag: str = "") -> RunsPage | NotModified:
        below = f"workflows/{quote(workflow, safe='')}/runs" if workflow else "runs"
        asked: dict[str, str | int] = {"created": created, "per_page": 100, "page": page}
        answer = self._api.read(
            f"{self._repo}/actions/{below}", asked, need=_READ, also=(404,), conditional=False, etag=etag
        )
        if answer.status == 304:
            return NotModified()
        if answer.status == 404:
            return RunsPage((), 0)
        return RunsPage(
            tuple(workflow_run(run) for run in items(answer.body, "workflow_runs")),
            number(answer.body, "total_count"),
            answer.headers.get("etag", ""),
            'rel="next"' in answer.headers.get("link", ""),
        )

    def jobs(self, run_id: int, attempt: int) -> tuple[WorkflowJob, ...]:
        path = f"{self._repo}/actions/runs/{run_id}/attempts/{attempt}/jobs"
        return tuple(map(workflow_job, self._api.pages(path, key="jobs", need=_READ)))

    def job_log(self, job_id: int, limit: int) -> bytes | Missing:
        return github_download.log(self._api, f"{self._repo}/actions/jobs/{job_id}/logs", limit, need=_READ)

    def artifacts(self, run_id: int) -> tuple[ArtifactInfo, ...]:
        path = f"{self._repo}/actions/runs/{run_id}/artifacts"
        return tuple(map(artifact, self._api.pages(path, key="artifacts", need=_READ)))

    def download(self, artifact: ArtifactInfo, limit: int) -> bytes | Missing:
        if artifact.expired:
            return Missing("it has expired")
        if artifact.size > limit:
            return Missing(f"it has {artifact.size} bytes, more than the {limit} that are read")
        path = f"{self._repo}/actions/artifacts/{artifact.id}/zip"
        return github_download.archive(self._api, path, limit, need=_READ)

    def cancel_run(self, run_id: int) -> bool:
        """False where it had ended already, or is gone."""
        path = f"{self._repo}/actions/runs/{run_id}/cancel"
        answer = self._api.write("POST", path, None, landed=repeatable)
        if answer.ok or answer.status in (404, 409):
            return answer.ok
        denied = self._api.denial("POST", path, answer, _WRITE)
        raise ForgeError(f"run {run_id} could not be cancelled: {denied.message}", status=denied.status)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Denied | None:
        """Nothing tells at once whether a dispatch landed: without an answer it is not repeated."""
        path = f"{self._repo}/actions/workflows/{quote(workflow, safe='')}/dispatches"

        def unknown() -> None:
            raise ForgeError(
                f"GitHub did not say whether it started {workflow} on {ref}: look at the repository's Actions page, "
                "and start it there if it is not running"
            )

        answer = self._api.write("POST", path, {"ref": ref, "inputs": dict(inputs)}, landed=unknown)
        return None if answer.ok else self._api.denial("POST", path, answer, _WRITE)
