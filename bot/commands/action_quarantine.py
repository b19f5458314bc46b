"""Quarantine from GitHub Actions: the pull request that somebody ticked, the one that a night proposes for tests that
are shown to be healed, and what the merged list says every night."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.action_history import Known
from bot.commands.action_picture import Picture
from bot.commands.action_site import Site
from bot.flaky.findings import standing
from bot.flaky.quarantine import (
    LIST,
    Content,
    Entry,
    Quarantine,
    Refused,
    Unreadable,
    content_of,
    entry_for,
    read,
    renewed,
    wanted_paths,
    without,
)
from bot.flaky.quarantine_proof import Healed
from bot.flaky.states import replay
from bot.flaky.types import Finding, State
from bot.ports import Denied, FileWrite, PullRequest
from bot.publish.branch import Fix, Occupied, push
from bot.publish.flaky_owners import Owners
from bot.publish.flaky_quarantine import (
    keys_in,
    quarantine_body,
    quarantine_title,
    release_body,
    release_commit,
    release_key,
    stale_body,
)
from bot.trigger.dashboard import find
from bot.trigger.ledger import Ledger
from bot.trigger.own import FIX_PREFIX
from bot.trigger.types import Claim, Triage

RELEASE_BRANCH = f"{FIX_PREFIX}quarantine/release"
"""Of all proposals of a night, so that a listing of one branch tells what people made of them."""
_MOST = 50  # tests that one proposal of a night releases


@dataclass(frozen=True, slots=True)
class Proposed:
    """pull_request: None where there is none to make, or it was refused. problems: sentences, of untrusted parts."""

    pull_request: PullRequest | None
    problems: tuple[str, ...] = ()


def listed(site: Site, commit: str) -> Quarantine | Unreadable:
    """The list as that commit has it; empty where it has none."""
    content = site.forge.file(posixpath.join(_folder(site), LIST), commit)
    return Quarantine() if content is None else read(content)


def propose(site: Site, claim: Claim, command: Triage, picture: Picture, owners: Owners) -> Proposed:
    """One pull request with all that was ticked. Safe to repeat. ForgeError where the host does not answer."""
    forge, sha = site.forge, claim.trigger.sha
    now = listed(site, sha)
    problems = []
    if isinstance(now, Unreadable):
        problems.append(f"{now.why}; the pull request writes it anew")
        now = Quarantine()
    issue = find(forge)
    verdicts = {verdict.test.node_id: verdict for verdict in picture.triage.verdicts}
    added, days = [], site.settings.triage.quarantine_days
    for name in command.quarantine:
        if name not in verdicts:
            problems.append(f"{name} is not put into quarantine: tonight's runs say nothing against it")
            continue
        verdict = verdicts[name]
        owner = " ".join(owners.of(verdict.test.file))
        entry = entry_for(
            verdict, at=site.clock.now(), days=days, owner=owner, issue="" if issue is None else issue.url
        )
        if isinstance(entry, Refused):
            problems.append(f"{name} is not put into quarantine: {entry.why}")
        else:
            added.append(entry)
    removed = [entry.test for entry in now.entries if entry.test.node_id in command.release]
    if not added and not removed:
        return Proposed(None, (*problems, "no pull request is needed: the list is as it was asked for"))
    content = _content(site, sha, renewed(without(now.entries, removed), added), now)
    title = quarantine_title(added, removed)
    commit = forge.create_commit(sha, _writes(content), title)
    if isinstance(commit, Denied):
        return Proposed(None, (*problems, _refusal("the commit", commit)))
    branch = f"{FIX_PREFIX}quarantine/{claim.attempt}"
    made = forge.create_branch(branch, commit)
    if isinstance(made, Denied):
        return Proposed(None, (*problems, _refusal(f"the branch {branch}", made)))
    body = quarantine_body(added, removed, content, asked_by=claim.trigger.sender)
    opened = _opened(site, claim, branch, title, body)
    return Proposed(opened.pull_request, (*problems, *opened.problems))


def release(site: Site, claim: Claim, picture: Picture) -> Proposed:
    """One pull request that takes the tests which are shown to be healed out of the list; nothing where one that a
    person closed unmerged proposed it for the same stay in quarantine. One that is open is brought up to date where
    other tests are healed by now. Safe to repeat. ForgeError where the host does not answer."""
    forge, sha = site.forge, claim.trigger.sha
    pulls = [pull for pull in forge.pull_requests(RELEASE_BRANCH) if pull.base_branch == claim.trigger.default_branch]
    current = next((pull for pull in pulls if pull.state == "open"), None)
    now = listed(site, sha)
    entries = () if isinstance(now, Unreadable) else now.entries
    declined = {key for pull in pulls if pull.state != "open" and not pull.merged for key in keys_in(pull.body)}
    chosen = _chosen(site, entries, picture.healed, declined) if picture.healed else ()
    wanted = frozenset(release_key(entry) for entry, _ in chosen)
    if current is None and not chosen:
        return Proposed(None)
    if current is not None and keys_in(current.body) == wanted:
        return Proposed(current)
    if current is not None and not chosen:
        answer = forge.edit_pull_request(current.number, current.title, stale_body())
        refused = (_refusal("an edit of the pull request", answer),) if isinstance(answer, Denied) else ()
        return Proposed(current, refused)
    assert isinstance(now, Quarantine)
    removed = [entry.test for entry, _ in chosen]
    content = _content(site, sha, without(now.entries, removed), now)
    title = quarantine_title((), removed)
    message, fingerprint = release_commit(title)
    pushed = push(forge, RELEASE_BRANCH, Fix(sha, forge.tree(sha), _writes(content), message, fingerprint))
    if isinstance(pushed, Denied):
        return Proposed(current, (_refusal(f"the branch {RELEASE_BRANCH}", pushed),))
    if isinstance(pushed, Occupied):
        return Proposed(current, (f"the end of a quarantine is not proposed: {pushed.reason}",))
    body = release_body(chosen, content)
    if current is None:
        return _opened(site, claim, RELEASE_BRANCH, title, body)
    answer = forge.edit_pull_request(current.number, title, body)
    return Proposed(current, (_refusal("an edit of the pull request", answer),) if isinstance(answer, Denied) else ())


def proven(site: Site, commit: str, known: Known) -> tuple[Finding, ...]:
    """What earlier nights proved of the tests that the list has at `commit`. One call."""
    listing = listed(site, commit)
    tests = {entry.test for entry in listing.entries} if isinstance(listing, Quarantine) else set()
    states = replay(change for night in known.nights for change in night.changes).states
    fixed = {test: change.at for test, change in states.items() if change.state is State.FIXED}
    told = sorted(
        ((night.at, finding) for night in known.nights for finding in night.findings), key=lambda each: each[0]
    )
    return tuple(finding for finding in standing(told, fixed) if finding.proofs and finding.test in tests)


def _chosen(
    site: Site, entries: Sequence[Entry], healed: Sequence[Healed], declined: set[str]
) -> tuple[tuple[Entry, Healed], ...]:
    """The list's entries that may go, with what shows it. What somebody ticked is left to the pull request of that."""
    shown = {each.test: each for each in healed}
    found = [
        (entry, shown[entry.test]) for entry in entries if entry.test in shown and release_key(entry) not in declined
    ]
    if not found:
        return ()
    names = {entry.test.node_id for entry, _ in found}
    asked: set[str] = set()
    for attempt in Ledger(site.forge, site.clock).entries():
        command = attempt.trigger.command
        if not isinstance(command, Triage) or not names.intersection(command.release):
            continue
        pulls = (site.forge.pull_request(number) for number in attempt.pull_requests)
        if any(pull is not None and pull.state == "open" for pull in pulls):
            asked.update(command.release)
    return tuple(pair for pair in found if pair[0].test.node_id not in asked)[:_MOST]


def _content(site: Site, sha: str, entries: Sequence[Entry], now: Quarantine) -> Content:
    folder = _folder(site)
    existing = {path: site.forge.file(path, sha) for path in wanted_paths(entries, now, folder)}
    return content_of(entries, now, {path: data for path, data in existing.items() if data is not None}, folder)


def _writes(content: Content) -> dict[str, FileWrite]:
    return {path: FileWrite(data) for path, data in content.files.items()}


def _opened(site: Site, claim: Claim, branch: str, title: str, body: str) -> Proposed:
    pull = site.forge.open_pull_request(branch, claim.trigger.default_branch, title, body, False)
    if isinstance(pull, Denied):
        return Proposed(None, (_refusal(f"the pull request; the branch {branch} is there", pull),))
    if site.settings.publish.labels:
        site.forge.add_labels(pull.number, site.settings.publish.labels)
    return Proposed(pull)


def _refusal(what: str, denied: Denied) -> str:
    return (
        f"the code host refused {what} ({denied.status}: {denied.message[:200]}); the job needs contents: write and "
        "pull-requests: write, and the repository the setting “Allow GitHub Actions to create and approve pull "
        "requests”"
    )


def _folder(site: Site) -> str:
    """Of the suite that triage runs, "" = the repository's root."""
    suites = site.settings.suites
    path = posixpath.normpath(suites[0].path) if suites else "."
    return "" if path == "." else path
