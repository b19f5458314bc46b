"""Check runs. GitHub takes at most 50 annotations a request, and adds those of each to what it has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bot.adapters.github_api import Api
from bot.adapters.github_objects import at, number, text
from bot.adapters.github_part import BOT, Part
from bot.ports import Annotation, Check, Denied, JsonValue

_NEED = "checks: write"
_BATCH = 50


class Checks(Part):
    """The bot's remarks beside a commit."""

    def __init__(self, api: Api, repository: str) -> None:
        super().__init__(api, repository)
        self._sent: dict[int, int] = {}  # annotations of the check runs that this process has written

    def check(self, check: Check, check_id: int | None = None) -> int | Denied:
        """A person's token is refused: only Apps may."""
        sent = 0
        if check_id is None:
            made = self._create(check)
            if isinstance(made, Denied):
                return made
            check_id, sent = made
            self._sent[check_id] = sent
            if sent >= len(check.annotations):
                return check_id
        elif check.annotations:
            # A run that was killed here had sent some of them.
            sent = self._sent[check_id] if check_id in self._sent else self._annotated(check_id)
        while True:
            refusal = self._bring(check, check_id, sent)
            if refusal is not None:
                return refusal
            sent += _BATCH
            self._sent[check_id] = min(sent, len(check.annotations))
            if sent >= len(check.annotations):
                return check_id

    def _create(self, check: Check) -> tuple[int, int] | Denied:
        """Its id, and how many annotations it has got."""
        path = f"{self._repo}/check-runs"
        said = f"{check.name}\0{check.head_sha}\0{check.details_url}\0{self._api.clock.now()!r}"
        mark = hashlib.sha256(said.encode()).hexdigest()[:32]  # this very write's

        def landed() -> int | None:
            below = f"{self._repo}/commits/{check.head_sha}/check-runs"
            found = self._api.pages(below, {"check_name": check.name}, key="check_runs", need="checks: read")
            return next((number(run, "id") for run in found if text(run, "external_id") == mark), None)

        body: JsonValue = {**_state(check, 0), "head_sha": check.head_sha, "external_id": mark}
        answer = self._api.write("POST", path, body, landed=landed)
        if isinstance(answer, int):
            return answer, min(_BATCH, len(check.annotations))
        if not answer.ok:
            return self._api.denial("POST", path, answer, _NEED)
        if slug := text(answer.body, "app", "slug"):
            self._seen_as(f"{slug}{BOT}")  # only Apps make check runs, and this one just did
        return number(answer.body, "id"), min(_BATCH, len(check.annotations))

    def _bring(self, check: Check, check_id: int, sent: int) -> Denied | None:
        """The state and one batch of annotations."""
        path = f"{self._repo}/check-runs/{check_id}"
        after = min(sent + _BATCH, len(check.annotations))

        def landed() -> bool | None:
            return True if after > sent and self._annotated(check_id) >= after else None

        answer = self._api.write("PATCH", path, _state(check, sent), landed=landed)
        if isinstance(answer, bool) or answer.ok:
            return None
        return self._api.denial("PATCH", path, answer, _NEED)

    def _annotated(self, check_id: int) -> int:
        found = self._api.get(f"{self._repo}/check-runs/{check_id}", need="checks: read")
        count = at(found, "output", "annotations_count")
        return count if isinstance(count, int) else 0


def _state(check: Check, sent: int) -> Mapping[str, JsonValue]:
    batch = check.annotations[sent : sent + _BATCH]
    output: JsonValue = {"title": check.title, "summary": check.summary, "annotations": [_remark(one) for one in batch]}
    state: dict[str, JsonValue] = {"name": check.name, "output": output}
    if check.details_url:
        state["details_url"] = check.details_url
    if check.conclusion:
        return {**state, "status": "completed", "conclusion": check.conclusion}
    return {**state, "status": "in_progress"}


def _remark(annotation: Annotation) -> JsonValue:
    return {
        "path": annotation.path,
        "start_line": annotation.start_line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level,
        "title": annotation.title,
        "message": annotation.message,
    }
