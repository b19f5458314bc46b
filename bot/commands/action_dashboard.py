"""The dashboard's issue: what a ticked box asks for, and the issue brought up to date.

The body as we last wrote it lies on the data branch: only against that can an edit be told from what was there.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands.action_history import known
from bot.commands.action_output import say
from bot.commands.action_picture import Picture, draw
from bot.commands.action_repairs import asked_repairs
from bot.commands.action_site import Site, default_branch
from bot.flaky.judge import suspects
from bot.ports import JsonValue
from bot.publish.flaky_dashboard import Links, render
from bot.publish.flaky_owners import PLACES, Owners, read_owners
from bot.publish.parts import Parts
from bot.trigger import data_branch
from bot.trigger.dashboard import LABEL, MARK, TITLE, Act, Restore, decide, find, settle
from bot.trigger.dashboard_boxes import ALL, Verb, key_of
from bot.trigger.shapes import MOST_NODE_ID
from bot.trigger.types import MOST_NAMED, Ignored, Triage, Trigger, TriggerKind

BODY = "flaky/dashboard.md"
"""On the data branch: the dashboard's body as it was last written."""


def read_edit(site: Site, payload: Mapping[str, JsonValue]) -> Trigger | Ignored:
    """What an edit of an issue asks for. Where nobody may be obeyed, the body is put back as we wrote it."""
    body = _written(site)
    decision = decide(payload, site.forge, (body,) if body is not None else ())
    if isinstance(decision, Ignored):
        return decision
    if body is not None and isinstance(decision, Restore):
        restore(site)
    if isinstance(decision, Restore):
        return Ignored(f"nothing on the dashboard is acted on: {decision.reason}")
    return _trigger(site, decision, payload)


def restore(site: Site) -> None:
    """The dashboard as we wrote it last: of a request that may not be had, no box stays ticked."""
    issue, body = find(site.forge), _written(site)
    if issue is None or body is None:
        return
    denied = settle(site.forge, issue.number, body)
    if denied is not None:
        say(f"the dashboard could not be put back ({denied.status}): give the job issues: write")


def owners_of(site: Site, commit: str) -> Owners:
    """CODEOWNERS as that commit has it."""
    for path in PLACES:
        content = site.forge.file(path, commit)
        if content is not None:
            return read_owners(content)
    return Owners()


def bring_up_to_date(site: Site, picture: Picture, owners: Owners, run_url: str, parts: Parts) -> None:
    """Write the issue; none is opened as long as there is nothing to tell."""
    links = Links(run=run_url, report=run_url)
    asked = parts.do("read the ledger", lambda: asked_repairs(site)) or {}
    body = render(picture.triage, picture.current, picture.weeks, owners, links=links, repairs=asked)
    content = body.encode("utf-8", "replace")

    def change(read: data_branch.Read) -> Mapping[str, bytes | None]:
        read(BODY)
        return {BODY: content}

    issue = parts.do("look for the dashboard", lambda: find(site.forge))
    if issue is None and (parts.problems or not (picture.triage.verdicts or picture.current)):
        return
    # First what an edit is told by, then the issue: killed between the two, a tick does nothing and is taken back.
    update = data_branch.update
    parts.do("keep the dashboard", lambda: update(site.forge, site.clock, change, "Keep the dashboard"), decisive=True)
    if issue is None:
        opened = parts.do("open the dashboard", lambda: site.forge.open_issue(TITLE, body, (LABEL,), MARK))
        parts.refusal("the dashboard's issue (issues: write, and issues enabled)", opened)
    else:
        number = issue.number
        denied = parts.do("edit the dashboard", lambda: settle(site.forge, number, body))
        parts.refusal("an edit of the dashboard (issues: write)", denied)


def _written(site: Site) -> str | None:
    content = data_branch.reader(site.forge)(BODY)
    return None if content is None else content.decode("utf-8", "replace")


def _trigger(site: Site, act: Act, payload: Mapping[str, JsonValue]) -> Trigger | Ignored:
    picture = draw(site, known(site), "")
    tests = [*(verdict.test for verdict in picture.triage.verdicts), *picture.states]
    names = {key_of(test): test.node_id for test in reversed(tests)}

    def of(verb: Verb) -> tuple[str, ...]:
        keys = [action.key for action in act.actions if action.verb is verb]
        return tuple(names[key] for key in keys if len(names.get(key, "")) in range(1, MOST_NODE_ID))

    again, mend = of(Verb.TRIAGE), of(Verb.FIX)
    if any(action.verb is Verb.TRIAGE and action.key == ALL for action in act.actions):
        suspected = (test.node_id for test in suspects(picture.triage) if len(test.node_id) < MOST_NODE_ID)
        again = tuple(suspected)[:MOST_NAMED]
    command = Triage(
        shards=1 if again or mend else 0,
        tests=again,
        quarantine=of(Verb.QUARANTINE),
        release=of(Verb.UNQUARANTINE),
        mend=mend,
    )
    if command.too_much:
        restore(site)
        return Ignored(f"more is ticked than can be done at once ({command.too_much}): tick fewer boxes at a time")
    if command == Triage(shards=0):
        restore(site)
        return Ignored("what was ticked on the dashboard is about no test that is known")
    return Trigger(
        kind=TriggerKind.DASHBOARD,
        repository=site.forge.repository,
        default_branch=default_branch(payload, site.forge),
        sender=act.sender,
        workflow=site.context.workflow,
        command=command,
    )
