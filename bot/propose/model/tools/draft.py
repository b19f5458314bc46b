"""Drafting a patch: where it falls, and what the rules say, before it costs an attempt."""

from __future__ import annotations

from bot.patch.types import Applied, Refusal
from bot.ports import ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.ending import written_test
from bot.propose.model.tools.types import Desk, Draft, Outcome, ToolResult
from bot.propose.types import NewTest
from bot.vet import Subject, vet
from bot.vet.types import Grade, Objection

_REFUSAL = 6_000
_PATCH = 12_000
_OBJECTIONS = 30


class TryPatch:
    """Places a diff on base, strictly, holds it against the rules, and keeps it as the draft where nothing blocks."""

    # "always against base": models send the second patch against their first one, which then fits nowhere.
    spec: ToolSpec = schema.spec(
        "try_patch",
        """Place a unified diff on the code at base (always at base: each draft is the whole patch and replaces the one
        before) and hold it against the rules. If it applies in exactly one place and no rule blocks it, it becomes
        your draft: the other tools then see the code with it. A new test may come with it, or alone to see it fail at
        base. An empty patch without a test throws the draft away.""",
        {
            "patch": schema.text(
                """`--- a/path`, `+++ b/path`, hunks with three lines of context copied exactly, without line numbers
                in front."""
            ),
            "new_test": schema.NEW_TEST,
        },
        ("patch",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        patch, new_test = arguments.text("patch"), written_test(arguments)
        if isinstance(new_test, ToolResult):
            return new_test
        if not patch.strip() and new_test is None:
            had = desk.draft is not None
            desk.draft = None
            return ToolResult("The draft is gone; you see the code at base." if had else "There is no draft.")
        placed = _place(patch, new_test, desk)
        kept = " Your earlier draft stays as it was." if desk.draft is not None else ""
        if isinstance(placed, Refusal):
            return ToolResult(
                f"It does not apply.{kept} Copy the lines of context exactly from the code at "
                f"base.\n{desk.data('refusal', placed.message, _REFUSAL)}",
                ok=False,
            )
        objections = vet(
            Subject(
                applied=placed.applied,
                read=desk.base.raw,
                targets=desk.evidence.cluster.ids,
                new_tests=() if new_test is None else (new_test.path,),
                protect=desk.protect,
            )
        )
        said = _objections(objections, desk)
        if any(objection.grade is Grade.BLOCKED for objection in objections):
            return ToolResult(f"It applies, but rules block it, so it is no draft.{kept}\n{said}", ok=False)
        desk.draft = placed
        changed = "\n".join(
            f"{change.status} {change.path} +{change.added} -{change.deleted}" for change in placed.applied.changes
        )
        review = f" A person will be asked to look at it, for these reasons:\n{said}" if objections else ""
        return ToolResult(
            f"It applies in exactly one place, and no rule blocks it: it is your draft.{review}\n"
            f"{desk.data('changes', changed, 2_000)}\n{desk.data('the draft as git reads it', placed.patch, _PATCH)}"
        )


def _place(patch: str, new_test: NewTest | None, desk: Desk) -> Draft | Refusal:
    """The fix alone first: what git reads of it is then plain enough to put the new file beside it."""
    fix: Applied | Refusal | None = desk.bench.try_patch(patch) if patch.strip() else None
    if isinstance(fix, Refusal):
        return fix
    text = "" if fix is None else fix.patch.text
    if new_test is None:
        assert fix is not None
        return Draft(text, None, fix)
    both = desk.bench.try_patch(text + _new_file(new_test))
    return both if isinstance(both, Refusal) else Draft(text, new_test, both)


def _new_file(test: NewTest) -> str:
    lines = test.source.split("\n")
    end = "" if lines[-1] == "" else "\\ No newline at end of file\n"
    body = [f"+{line}\n" for line in (lines[:-1] if lines[-1] == "" else lines)]
    return f"--- /dev/null\n+++ b/{test.path}\n@@ -0,0 +1,{len(body)} @@\n{''.join(body)}{end}"


def _objections(objections: tuple[Objection, ...], desk: Desk) -> str:
    lines = [
        f"{'blocks' if objection.grade is Grade.BLOCKED else 'review'}: {objection.rule}: {objection.path}"
        f"{'' if objection.line is None else f':{objection.line}'}: {objection.message}"
        for objection in objections[:_OBJECTIONS]
        if objection.grade is not Grade.ALLOWED
    ]
    if len(objections) > _OBJECTIONS:
        lines.append(f"… and {len(objections) - _OBJECTIONS} more")
    return desk.listing("objections", lines, _REFUSAL) if lines else ""
