"""Pull requests and comments: each write can be called again after a crash without a second one of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.adapters.github_api import Answer, repeatable
from bot.adapters.github_faults import words
from bot.adapters.github_objects import comment as read_comment
from bot.adapters.github_objects import pull_request as read_pull_request
from bot.adapters.github_objects import text
from bot.adapters.github_part import BOT, Part
from bot.ports import Comment, Denied, JsonValue, PullRequest, Viewer

_PULLS = "pull-requests: write"
_EXISTS = "already exists"


class Conversation(Part):
    """What people read on pull requests."""

    def viewer(self) -> Viewer:
        """By the login that GraphQL shows: the permissions of a token, and its prefix, do not tell whose it is."""
        if self._viewer is not None:
            return self._viewer
        return self._seen_as(text(self._api.query("query { viewer { login } }"), "viewer", "login"))

    def pull_request(self, number: int) -> PullRequest | None:
        found = self._api.get(f"{self._repo}/pulls/{number}", need="pull-requests: read")
        return None if found is None else read_pull_request(found)

    def pull_requests(self, head_branch: str) -> tuple[PullRequest, ...]:
        """All from that branch of this repository, open and closed, newest first."""
        return self._pulls({"head": self._head(head_branch), "state": "all"}, head_branch)

    def open_pull_request(self, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest | Denied:
        path = f"{self._repo}/pulls"

        def landed() -> PullRequest | None:
            asked = {"head": self._head(head), "base": base, "state": "open"}
            return next((pull for pull in self._pulls(asked, head) if pull.base_branch == base), None)

        asked: dict[str, JsonValue] = {"head": head, "base": base, "title": title, "body": body, "draft": draft}
        answer = self._api.write("POST", path, asked, landed=landed)
        if isinstance(answer, PullRequest):
            return answer
        if answer.ok:
            return read_pull_request(answer.body)
        if answer.status == 422 and _EXISTS in words(answer.body) and (existing := landed()) is not None:
            return existing
        return self._api.denial("POST", path, answer, _PULLS)

    def edit_pull_request(self, number: int, title: str, body: str) -> Denied | None:
        return self._repeat("PATCH", f"/pulls/{number}", {"title": title, "body": body}, _PULLS)

    def add_labels(self, number: int, labels: Sequence[str]) -> Denied | None:
        return self._repeat("POST", f"/issues/{number}/labels", {"labels": list(labels)}, _PULLS)

    def request_reviewers(self, number: int, logins: Sequence[str]) -> Denied | None:
        teams = [login.partition("/")[2] for login in logins if "/" in login]
        people = [login for login in logins if "/" not in login]
        asked: JsonValue = {"reviewers": people, "team_reviewers": teams}
        return self._repeat("POST", f"/pulls/{number}/requested_reviewers", asked, _PULLS)

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Oldest first; none where there is no such issue."""
        return tuple(
            map(read_comment, self._api.pages(f"{self._repo}/issues/{number}/comments", need="pull-requests: read"))
        )

    def comment(self, number: int, body: str, marker: str) -> Comment | Denied:
        """A marker in somebody else's comment is a copy: only our own are edited."""
        seen = self.comments(number)
        mine = _own(seen, self.viewer().login, marker)
        if mine is not None:
            refusal = None if mine.body == body else self.edit_comment(mine.id, body)
            return refusal or Comment(mine.id, mine.author, body, mine.url)
        newest = max((comment.id for comment in seen), default=0)

        def landed() -> Comment | None:
            later = [comment for comment in self.comments(number) if comment.id > newest]
            return _own(later, self.viewer().login, marker)

        path = f"{self._repo}/issues/{number}/comments"
        answer = self._api.write("POST", path, {"body": body}, landed=landed)
        if isinstance(answer, Comment):
            return answer
        return read_comment(answer.body) if answer.ok else self._api.denial("POST", path, answer, _PULLS)

    def edit_comment(self, comment_id: int, body: str) -> Denied | None:
        return self._repeat("PATCH", f"/issues/comments/{comment_id}", {"body": body}, _PULLS)

    def react(self, comment_id: int, content: str) -> Denied | None:
        """GitHub answers 200 where that reaction of ours stands already."""
        return self._repeat("POST", f"/issues/comments/{comment_id}/reactions", {"content": content}, _PULLS)

    def _pulls(self, asked: Mapping[str, str | int], head_branch: str) -> tuple[PullRequest, ...]:
        """The filter knows owners, not repositories: a fork of the same owner is told apart here."""
        order = {"sort": "created", "direction": "desc"}
        found = self._api.pages(f"{self._repo}/pulls", {**asked, **order}, need="pull-requests: read")
        pulls = map(read_pull_request, found)
        own = self.repository.lower()
        return tuple(pull for pull in pulls if pull.head_branch == head_branch and pull.head_repository.lower() == own)

    def _head(self, branch: str) -> str:
        return f"{self.repository.partition('/')[0]}:{branch}"

    def _repeat(self, method: str, below: str, body: JsonValue, need: str) -> Denied | None:
        path = self._repo + below
        answer: Answer = self._api.write(method, path, body, landed=repeatable)
        return None if answer.ok else self._api.denial(method, path, answer, need)


def _own(comments: Sequence[Comment], login: str, marker: str) -> Comment | None:
    """Ours by its author; where the token does not say who we are, a bot's: no person's login ends like that."""
    for comment in comments:
        ours = comment.author == login if login else comment.author.endswith(BOT)
        if ours and marker in comment.body:
            return comment
    return None
