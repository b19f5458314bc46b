"""Quarantine from GitHub Actions: the pull request that somebody ticked, and what the merged list says every night."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from bot.commands.action_picture import Picture
from bot.commands.action_site import Site
from bot.flaky.quarantine import (
    LIST,
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
from bot.ports import Denied, FileWrite, PullRequest
from bot.publish.flaky_owners import Owners
from bot.publish.flaky_quarantine import quarantine_body, quarantine_title
from bot.trigger.dashboard import find
from bot.trigger.own import FIX_PREFIX
from bot.trigger.types import Claim, Triage


@dataclass(frozen=True, slots=True)
class Proposed:
    """pull_request: None where there is none to make, or it was refused. problems: sentences, of untrusted parts."""

    pull_request: PullRequest | None
    problems: tuple[str, ...]


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
    entries = renewed(without(now.entries, removed), added)
    if not added and not removed:
        return Proposed(None, (*problems, "no pull request is needed: the list is as it was asked for"))
    folder = _folder(site)
    existing = {path: forge.file(path, sha) for path in wanted_paths(entries, now, folder)}
    content = content_of(entries, now, {path: data for path, data in existing.items() if data is not None}, folder)
    title = quarantine_title(added, removed)
    writes = {path: FileWrite(data) for path, data in content.files.items()}
    commit = forge.create_commit(sha, writes, title)
    if isinstance(commit, Denied):
        return Proposed(None, (*problems, _refusal("the commit", commit)))
    branch = f"{FIX_PREFIX}quarantine/{claim.attempt}"
    made = forge.create_branch(branch, commit)
    if isinstance(made, Denied):
        return Proposed(None, (*problems, _refusal(f"the branch {branch}", made)))
    body = quarantine_body(added, removed, content, asked_by=claim.trigger.sender)
    pull = forge.open_pull_request(branch, claim.trigger.default_branch, title, body, False)
    if isinstance(pull, Denied):
        return Proposed(None, (*problems, _refusal(f"the pull request; the branch {branch} is there", pull)))
    if site.settings.publish.labels:
        forge.add_labels(pull.number, site.settings.publish.labels)
    return Proposed(pull, tuple(problems))


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
