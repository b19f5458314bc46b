"""Pull requests, issues and their comments, as tests build them and look at them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.github_server.code import Code
from tests.github_server.git_data import Person
from tests.github_server.state import Comment, Issue, Label, Pull, Reaction

if TYPE_CHECKING:
    from tests.github_server.repository import Repository
    from tests.github_server.world import World


class Discussions(Code):
    """Numbers are shared by issues and pull requests, as on GitHub. fork_of: where pull requests go as well."""

    fork_of: Repository | None

    def __init__(self, world: World, owner: str, name: str, default_branch: str) -> None:
        super().__init__(world, owner, name, default_branch)
        self.issues: dict[int, Issue] = {}
        self.pulls: dict[int, Pull] = {}
        self.labels: dict[str, Label] = {}
        self._comments: dict[int, Comment] = {}
        self._issue_numbers = itertools.count(1)

    def next_number(self) -> int:
        return next(self._issue_numbers)

    def add_pull(
        self,
        head: str,
        base: str = "",
        *,
        title: str = "A change",
        body: str = "",
        user: str = "octocat",
        draft: bool = False,
        from_fork: Repository | None = None,
    ) -> Pull:
        """A pull request from branch `head` of this repository, or of a fork, to `base` (default: the default branch)."""
        source = from_fork or self
        base = base or self.default_branch
        now = self.world.now()
        self.world.user(user)
        pull = Pull(
            self.next_number(),
            self.world.next_id(),
            title,
            body,
            user,
            head,
            source.branches[head],
            source.full_name,
            base,
            self.branches[base],
            now,
            now,
            draft,
        )
        self.pulls[pull.number] = pull
        self.refresh_pulls()
        return pull

    def refresh_pulls(self) -> None:
        """What follows from moved branches: heads, test merges, refs/pull/N/*; a deleted head closes (as GitHub does).

        The base's SHA moves with the base branch here; GitHub moves it with the next push to the head.
        """
        for pull in self.pulls.values():
            source = self.world.find(pull.head_repository)
            if pull.state != "open":
                continue
            head = source.branches.get(pull.head_branch) if source else None
            base = self.branches.get(pull.base_branch)
            if head is None or base is None:
                self.close_pull(pull.number, by=pull.user)
                continue
            refs = f"refs/pull/{pull.number}"
            if (head, base) == (pull.head_sha, pull.base_sha) and pull.merge_sha and self.git.ref(f"{refs}/head"):
                continue
            pull.head_sha, pull.base_sha = head, base
            if source is not self and source is not None:
                self.git.fetch(source.git, f"refs/heads/{pull.head_branch}", f"{refs}/head")
            else:
                self.git.git("update-ref", f"{refs}/head", head)
            tree = self.git.merged_tree(base, head)
            pull.merge_sha = ""
            if tree is None:
                self.git.delete_ref(f"{refs}/merge")
                continue
            person = Person("GitHub", "noreply@github.com", int(self.world.now()))
            message = f"Merge {head} into {base}"
            pull.merge_sha = self.git.write_commit(tree, (base, head), person, person, message, signed=True)
            self.git.git("update-ref", f"{refs}/merge", pull.merge_sha)
        if self.fork_of is not None:
            self.fork_of.refresh_pulls()

    def close_pull(self, number: int, *, by: str = "octocat") -> None:
        pull = self.pulls[number]
        pull.state, pull.closed, pull.closed_by, pull.merge_sha = "closed", self.world.now(), by, ""

    def merge_pull(self, number: int, *, by: str = "octocat") -> str:
        """Merge it as the green button does; returns the merge's SHA."""
        pull = self.pulls[number]
        assert pull.merge_sha, f"pull request {number} cannot be merged"
        merge, old = pull.merge_sha, self.branches[pull.base_branch]
        pull.state, pull.merged, pull.closed, pull.closed_by = "closed", True, self.world.now(), by
        assert self.move(f"refs/heads/{pull.base_branch}", merge, old)
        return merge

    def add_issue(self, title: str = "An issue", *, body: str = "", user: str = "octocat") -> Issue:
        """A plain issue: no pull request."""
        now = self.world.now()
        self.world.user(user)
        issue = Issue(self.next_number(), self.world.next_id(), title, body, user, now, now)
        self.issues[issue.number] = issue
        return issue

    def add_comment(self, number: int, user: str, body: str) -> Comment:
        """A comment on an issue or a pull request."""
        now = self.world.now()
        assert number in self.pulls or number in self.issues, f"there is no number {number}"
        self.world.user(user)
        comment = Comment(self.world.next_id(), number, user, body, now, now)
        self._comments[comment.id] = comment
        return comment

    def comments(self, number: int) -> list[Comment]:
        """Comments of an issue or a pull request, oldest first."""
        return [comment for comment in self._comments.values() if comment.number == number]

    def comment(self, comment_id: int) -> Comment | None:
        return self._comments.get(comment_id)

    def delete_comment(self, comment_id: int) -> None:
        del self._comments[comment_id]

    def reactions(self, comment_id: int) -> list[Reaction]:
        return self._comments[comment_id].reactions

    def label(self, name: str) -> Label:
        """The label of that name, made on first use."""
        return self.labels.setdefault(name.lower(), Label(self.world.next_id(), name))
