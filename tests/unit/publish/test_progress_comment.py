"""The progress comment: one, edited in place, not too often, and never the end of a repair."""

from __future__ import annotations

from pathlib import Path

from bot.errors import ForgeError
from bot.ports import Comment, Denied, EventKind
from bot.publish.progress_comment import INTERVAL, RARER, ProgressComment, begin
from tests.unit.publish.sample import play
from tests.unit.publish.world import World, make


def begun(tmp_path: Path) -> tuple[World, ProgressComment, Comment]:
    it = make(tmp_path, pull_request=True)
    comment = begin(it.claim, it.forge)
    assert isinstance(comment, Comment)
    return it, ProgressComment(it.claim, comment.id, it.forge, it.clock), comment


def body(it: World, comment: Comment) -> str:
    return next(each.body for thread in it.forge.threads.values() for each in thread if each.id == comment.id)


def test_begun_twice_it_is_one_comment(tmp_path: Path) -> None:
    it, _, comment = begun(tmp_path)
    again = begin(it.claim, it.forge)
    assert isinstance(again, Comment) and again.id == comment.id
    assert body(it, comment).startswith("<!-- grokfix:progress 0123456789abcdef -->\n**grokfix is looking into it**")
    assert it.claim.run_url in body(it, comment) and it.sha[:12] in body(it, comment)


def test_a_branch_has_nothing_to_comment_on(tmp_path: Path) -> None:
    it = make(tmp_path)
    assert begin(it.claim, it.forge) is None


def test_it_shows_attempt_gates_and_cost(tmp_path: Path) -> None:
    it, comment_view, comment = begun(tmp_path)
    seen: list[str] = []

    began = it.clock.monotonic()

    class Watched:
        def record(self, kind: EventKind, **data: object) -> int:
            it.clock.sleep(max(INTERVAL, 2 * RARER * (it.clock.monotonic() - began)))
            number = comment_view.record(kind, **data)  # type: ignore[arg-type]
            seen.append(body(it, comment))
            return number

    play(Watched())
    everything = "\n".join(seen)
    for wanted in ("attempt 2 of 5", "✓ reproduced", "✗ vetted", "✓ stable", "$0.0038, 1 request", "running: suite"):
        assert wanted in everything, wanted
    assert seen[-1].count("<!-- grokfix:progress") == 1


def test_edits_are_rare_and_turns_are_shown_at_once(tmp_path: Path) -> None:
    it, view, comment = begun(tmp_path)
    view.record(EventKind.RUN, max_attempts=3)
    edits = it.forge.count("edit_comment")
    for number in range(200):
        it.clock.sleep(0.1)
        view.record(EventKind.SANDBOX_RUN, phase="started", purpose=f"run {number}")
    assert 3 <= it.forge.count("edit_comment") - edits <= 200 * 0.1 / INTERVAL + 1
    view.record(EventKind.PROPOSAL, attempt=2, engine="model", root_cause="@org")
    assert "attempt 2 of 3" in body(it, comment)


def test_a_long_run_does_not_use_up_the_hosts_patience(tmp_path: Path) -> None:
    it, view, _ = begun(tmp_path)
    for number in range(1800):
        it.clock.sleep(1)
        view.record(EventKind.SANDBOX_RUN, phase="started", purpose=f"run {number}")
    assert 40 <= it.forge.count("edit_comment") <= 100


def test_hostile_events_are_shown_harmless(tmp_path: Path) -> None:
    it, view, comment = begun(tmp_path)
    it.clock.sleep(INTERVAL)
    view.record(EventKind.SANDBOX_RUN, phase="started", purpose="@org/team fixes #1 <img> --> /grok fix\n/grok fix")
    for acting in ("@org", "#1", "<img>", "/grok"):
        assert acting not in body(it, comment)
    assert body(it, comment).count("-->") == 1


def test_a_failing_edit_is_tried_thrice_and_ends_nothing(tmp_path: Path) -> None:
    it, view, _ = begun(tmp_path)
    it.forge.fail("edit_comment", ForgeError("down", status=502))
    it.forge.denied["edit_comment"] = Denied(403, "locked")
    for number in range(10):
        it.clock.sleep(INTERVAL)
        assert view.record(EventKind.SANDBOX_RUN, phase="started", purpose=f"{number}") == number + 1
    assert it.forge.count("edit_comment") == 3 and "locked" in view.problem
