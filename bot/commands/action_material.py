"""What an analysis starts from: the failing tests of the run, and the commits that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.commands.action_site import Site
from bot.commands.evidence import failing_cases
from bot.errors import ConfigError, ForgeError
from bot.evidence.ci import CiEvidence, collect
from bot.evidence.ci_history import OnBase, base_runs, last_green, on_base
from bot.evidence.junit import expand
from bot.evidence.types import TestCase
from bot.publish.bundle import Findings
from bot.trigger.types import Claim, Test, Trigger, TriggerKind
from bot.workspace.fetch import fetch
from bot.workspace.git import Repository

FETCH_SECONDS = 300.0
_NOTED = 8


@dataclass(frozen=True, slots=True)
class Material:
    """repository: its HEAD is the commit under test. wanted: failing cases of the run, None: whatever fails.

    good: the last green commit, "" where none is known or to be had. findings: what a reader must know besides.
    on_base: the base branch fails alike, None = it does not, or nobody asked.
    """

    repository: Repository
    wanted: tuple[TestCase, ...] | None
    good: str = ""
    findings: Findings = field(default_factory=Findings)
    on_base: OnBase | None = None


def gather(site: Site, claim: Claim) -> Material:
    """ForgeError, ConfigError: the run or the commits cannot be had; there is nothing to analyze then."""
    if claim.trigger.kind is TriggerKind.STEP:
        return _of_step(site, claim)
    if isinstance(claim.trigger.command, Test):
        return _of_change(site, claim)
    return _of_run(site, claim)


def _of_step(site: Site, claim: Claim) -> Material:
    """A step after the tests: reports and commit lie in the workspace, nothing is downloaded."""
    workspace = Path(site.context.workspace)
    if not (workspace / ".git").exists():
        raise ConfigError(
            f"the workspace {workspace} holds no checkout; as a step, grokfix comes after actions/checkout and the "
            "tests, in the same job"
        )
    repository = Repository.open(workspace, site.scratch / "workspace")
    wanted = failing_cases(_reports(site, workspace), _log_path(site, workspace), workspace)
    trigger, head = claim.trigger, repository.head
    tested = "" if head == trigger.sha else head
    if tested and trigger.sha not in repository.parents(head):
        raise ConfigError(
            f"the workspace is at {head[:12]}, which is neither the commit {trigger.sha[:12]} that the event is about "
            "nor its merge; let actions/checkout take its default"
        )
    return Material(
        repository,
        wanted,
        findings=Findings(tested=tested, merged_with=_other_parent(repository, tested, trigger.sha)),
    )


def _reports(site: Site, workspace: Path) -> tuple[str, ...]:
    """Files that the input junit matches; none that a link of the checkout leads elsewhere is read."""
    found = expand(site.inputs.junit, workspace)
    for path in found:
        if not path.resolve().is_relative_to(workspace.resolve()):
            raise ConfigError(
                f"input junit matches {str(path)[:200]!r}, which leads out of the workspace; "
                "name reports that the tests write inside of it"
            )
    return tuple(map(str, found))


def _log_path(site: Site, workspace: Path) -> str | None:
    """The log's path; one that a link of the checkout leads elsewhere is not read."""
    if not site.inputs.log:
        return None
    path = (workspace / site.inputs.log).resolve()
    if not path.is_relative_to(workspace.resolve()):
        raise ConfigError(f"input log is {site.inputs.log[:200]!r}, which leads out of the workspace")
    return str(path)


def _of_change(site: Site, claim: Claim) -> Material:
    """A pull request as it would be merged, and in `good` what it would be merged into: between the two lies what the
    pull request itself changes, whatever its base branch has gained meanwhile."""
    trigger = claim.trigger
    merge = f"refs/pull/{trigger.pull_request}/merge"
    merged = fetched(site, [(merge,)])
    parents = merged.parents("HEAD")
    if len(parents) != 2 or parents[1] != trigger.sha:
        raise ConfigError(
            f"the merge of the pull request is not of its head {trigger.sha[:12]}: it has moved, or conflicts with its "
            "base; ask again when the conflict is solved"
        )
    repository = fetched(site, [(merged.head, parents[0])])
    return Material(repository, None, parents[0], Findings(tested=repository.head, merged_with=parents[0]))


def _of_run(site: Site, claim: Claim) -> Material:
    """A run that failed elsewhere, or a commit that somebody named: evidence and commits come from the code host."""
    trigger, forge = claim.trigger, site.forge
    run = forge.run(trigger.run_id) if trigger.run_id is not None else None
    if run is None:
        repository = fetched(site, [(trigger.sha,)])
        return Material(repository, None)
    globs = site.settings.triggers.artifacts
    evidence = collect(forge, run, globs)
    failing = evidence.report.failures()
    base = base_runs(forge, run, trigger.base_branch) if trigger.pull_request is not None else ()
    green = last_green(forge, run, base)
    same = on_base(forge, base, failing, globs)
    good = green.head_sha if green is not None else ""
    tested = evidence.tested_sha if run.event == "pull_request" and evidence.tested_sha != trigger.sha else ""
    repository = fetched(site, _choices(tested, trigger, good))
    if repository.head != trigger.sha and trigger.sha not in repository.parents("HEAD"):
        # A log's word for the commit under test, which the code host does not bear out.
        tested = ""
        repository = fetched(site, _choices("", trigger, good))
    tested = repository.head if repository.head != trigger.sha else ""
    notes = tuple(_notes(evidence, wanted_merge=run.event == "pull_request", merge=tested))
    findings = Findings(
        tested=tested,
        merged_with=_other_parent(repository, tested, trigger.sha),
        on_base="" if same is None else _base_sentence(same, len(failing), trigger.base_branch),
        notes=notes,
    )
    return Material(repository, failing or None, _present(repository, good), findings, same)


def _choices(tested: str, trigger: Trigger, good: str) -> list[tuple[str, ...]]:
    """Which commits to fetch, the best choice first: merges and green commits may be gone from the code host."""
    merges = [tested] if tested else []
    if trigger.pull_request is not None and trigger.event == "pull_request":
        merges.append(f"refs/pull/{trigger.pull_request}/merge")
    choices: list[tuple[str, ...]] = []
    for first in (*merges, ""):
        for last in (good, ""):
            choice = tuple(dict.fromkeys(filter(None, (first, trigger.sha, last))))
            if choice not in choices:
                choices.append(choice)
    return choices


def fetched(site: Site, choices: Sequence[tuple[str, ...]]) -> Repository:
    """A repository with the first choice that can be had whole."""
    url = f"{site.forge.server_url}/{site.forge.repository}.git"
    problem: ForgeError | None = None
    for number, choice in enumerate(choices):
        folder = site.scratch / f"fetched-{number}-{len(list(site.scratch.iterdir()))}"
        try:
            fetch(url, choice, site.inputs.token, folder, seconds=FETCH_SECONDS)
        except ForgeError as error:
            if error.status != 404:
                raise
            problem = error
            continue
        return Repository.open(folder, site.scratch / f"{folder.name}-store")
    assert problem is not None
    raise problem


def _present(repository: Repository, good: str) -> str:
    try:
        return repository.resolve(good) if good else ""
    except ConfigError:
        return ""


def _other_parent(repository: Repository, tested: str, sha: str) -> str:
    return next((each for each in repository.parents(tested) if each != sha), "") if tested else ""


def _base_sentence(same: OnBase, asked: int, base: str) -> str:
    count = len(same.failing)
    which = "the same failure is" if asked == 1 else f"{count} of the {asked} failing tests are"
    since = same.since
    first = "since" if since.known else "at least since"
    return f"{which} red on {base} too, {first} {since.sha[:12]} ({since.date[:10]}, {since.url})"


def _notes(evidence: CiEvidence, *, wanted_merge: bool, merge: str) -> Iterator[str]:
    """What a reader should know of the evidence; all of it may be a stranger's text."""
    names = list(dict.fromkeys(name for names in evidence.variants.values() for name in names))
    if len(names) > 1 or (names and "(" in names[0]):
        yield f"failed in: {', '.join(names[:_NOTED])}" + (f" and {len(names) - _NOTED} more" if names[_NOTED:] else "")
    if not evidence.report.failures():
        for step in evidence.steps[:3]:
            code = "" if step.exit_code is None else f", exit code {step.exit_code}"
            yield f"no failing test was told of; job {step.job}, step {step.step} failed{code}"
    if wanted_merge and not merge:
        yield "the merge that the run tested is gone from the code host, so the head itself was looked at"
    # Where the reports tell which tests fail, a log in which none is to be found is nobody's concern.
    told = [each for each in evidence.problems if not (evidence.report.failures() and each.source.startswith("log"))]
    for problem in told[:_NOTED]:
        yield f"{problem.source}: {problem.message}"
