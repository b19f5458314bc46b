"""Issues: one that is kept open and edited in place. Found by listing, for the search lags behind."""

from __future__ import annotations

from collections.abc import Sequence

from bot.adapters.github_api import repeatable
from bot.adapters.github_conversation import Conversation
from bot.adapters.github_objects import issue as read_issue
from bot.adapters.github_part import BOT
from bot.errors import ForgeError
from bot.ports import Denied, Issue, JsonValue

_READ = "issues: read"
_WRITE = "issues: write"


class Issues(Conversation):
    """What people read that hangs on no change. An issue that may not be seen (410: switched off) is none."""

    def issues(self, labels: Sequence[str] = (), *, state: str = "open") -> tuple[Issue, ...]:
        asked: dict[str, str | int] = {"state": state, "sort": "created", "direction": "desc"}
        if labels:
            asked["labels"] = ",".join(labels)
        listed = map(read_issue, self._api.pages(f"{self._repo}/issues", asked, need=_READ))
        return tuple(each for each in listed if each is not None)

    def issue(self, number: int) -> Issue | None:
        found = self._api.get(f"{self._repo}/issues/{number}", need=_READ, absent=(404, 410))
        return None if found is None else read_issue(found)

    def open_issue(self, title: str, body: str, labels: Sequence[str], marker: str) -> Issue | Denied:
        """A marker in somebody else's issue is a copy: only our own are taken."""
        found = self._mine(labels, marker)
        if found is not None:
            refusal = None if (found.title, found.body) == (title, body) else self.edit_issue(found.number, title, body)
            return refusal or Issue(found.number, title, body, found.state, found.author, found.url, found.labels)
        path = f"{self._repo}/issues"
        asked: JsonValue = {"title": title, "body": body, "labels": list(labels)}
        answer = self._api.write("POST", path, asked, landed=lambda: self._mine(labels, marker))
        if isinstance(answer, Issue):
            return answer
        if not answer.ok:
            return self._api.denial("POST", path, answer, _WRITE)
        opened = read_issue(answer.body)
        if opened is None:
            raise ForgeError(
                f"GitHub answered POST {path} with a pull request; please report it as a defect of grokfix"
            )
        return opened

    def edit_issue(self, number: int, title: str, body: str) -> Denied | None:
        path = f"{self._repo}/issues/{number}"
        answer = self._api.write("PATCH", path, {"title": title, "body": body}, landed=repeatable)
        return None if answer.ok else self._api.denial("PATCH", path, answer, _WRITE)

    def _mine(self, labels: Sequence[str], marker: str) -> Issue | None:
        """The oldest open one: two that were opened at once become one again."""
        login = self.viewer().login
        ours = [
            each
            for each in self.issues(labels)
            if marker in each.body and (each.author == login if login else each.author.endswith(BOT))
        ]
        return ours[-1] if ours else None
