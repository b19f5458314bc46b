"""`grokfix init`: the workflow and the settings of a repository, written; or the step to add, shown."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot import config
from bot.commands import code_host
from bot.config_action import MOST_SHARDS
from bot.errors import ConfigError, ForgeError
from bot.publish.untrusted import log, one_line
from bot.setup.files import (
    SETTINGS_PATH,
    SHARDS,
    TRIAGE_PATH,
    WORKFLOW_PATH,
    Mode,
    Paste,
    Secrets,
    secrets_of,
    settings_text,
    step_to_paste,
    triage_text,
    workflow_text,
)
from bot.setup.pins import ACTION_REPOSITORY, TAG, our_action
from bot.setup.settings import settings_of
from bot.setup.workflows import Workflow, read_workflows
from bot.setup.write import write_files
from bot.workspace.layout import locate

_DEFAULT = Mode.THREE_JOBS
_ABOUT = {
    Mode.THREE_JOBS: "three jobs: the one that runs tests may write nothing, those that may write run nothing",
    Mode.ONE_JOB: "one job: progress attempt by attempt, but the job that runs tests has a token that may write",
    Mode.STEP: "a step in your own workflow, after the tests: simplest, and no `/grok` commands",
}


def execute(options: argparse.Namespace) -> int:
    """0 when everything was written or shown; otherwise nothing was written."""
    root = locate(Path(options.path)).root
    if options.triage:
        return _triage(root, options)
    if options.shards is not None:
        raise ConfigError("--shards divides the nights of triage; it belongs to `grokfix init --triage`")
    found = read_workflows(root)
    for problem in found.unreadable:
        print(f"Left out: {log(one_line(problem))}", file=sys.stderr)
    mode = Mode(options.mode) if options.mode else _chosen(options.yes)
    testing = tuple(workflow for workflow in found.with_tests() if workflow.path != WORKFLOW_PATH)
    environment = config.process_environment()
    settings = settings_of(root, environment)  # a broken file is told now, not by the first failed run
    action = our_action(_commit(environment))
    secrets = secrets_of(settings)
    texts = {} if (root / SETTINGS_PATH).exists() else {SETTINGS_PATH: settings_text()}
    if mode is not Mode.STEP:
        names = _followed(options.workflow, testing, [workflow.name for workflow in found.files])
        texts[WORKFLOW_PATH] = workflow_text(mode, names, action, settings.limits.minutes, secrets)
        print(f"Follows {', '.join(log(one_line(name)) for name in names)}", file=sys.stderr)
    write_files(root, texts, force=options.force)
    for path in texts:
        print(f"Wrote {path}")
    if SETTINGS_PATH not in texts:
        print(f"Kept {SETTINGS_PATH}: settings that are there are never replaced")
    if mode is Mode.STEP:
        _show(step_to_paste(testing[0] if testing else None, action, secrets))
    _next_steps(tuple(texts), mode, secrets)
    return 0


def _triage(root: Path, options: argparse.Namespace) -> int:
    """The workflow of the nightly triage, beside whatever there is."""
    if options.mode or options.workflow:
        raise ConfigError("--triage writes a workflow of its own, so that --mode and --workflow have no say in it")
    shards = SHARDS if options.shards is None else options.shards
    if not 1 <= shards <= MOST_SHARDS:
        raise ConfigError(f"--shards {shards}: a night is divided among 1 to {MOST_SHARDS} jobs")
    environment = config.process_environment()
    settings = settings_of(root, environment)
    texts = {TRIAGE_PATH: triage_text(settings, our_action(_commit(environment)), shards)}
    if not (root / SETTINGS_PATH).exists():
        texts[SETTINGS_PATH] = settings_text()
    write_files(root, texts, force=options.force)
    for path in texts:
        print(f"Wrote {path}")
    print("\nThen:")
    print("1. Settings → Actions → General: allow “Allow GitHub Actions to create and approve pull requests”;")
    print("   it is needed for putting a test into quarantine.")
    print(f"2. Merge {' and '.join(texts)} into the default branch: schedules work from there alone.")
    print("3. Start it once by hand (Actions → grokfix triage → Run workflow), or wait for the night.")
    return 0


def _chosen(yes: bool) -> Mode:
    """Asks where a person can answer, and takes the default where none can."""
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return _DEFAULT
    modes = tuple(_ABOUT)
    for number, (_, about) in enumerate(_ABOUT.items(), 1):
        print(f"  {number}  {about}", file=sys.stderr)
    while True:
        print("How shall grokfix run? [1] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if answer.strip() in {"1", "2", "3"}:
            return modes[int(answer) - 1]
        if not answer.strip():  # Enter, or the end of input
            return _DEFAULT
        if answer.strip() in set(Mode):
            return Mode(answer.strip())
        print("Answer 1, 2 or 3.", file=sys.stderr)


def _followed(wanted: Sequence[str], testing: Sequence[Workflow], known: Sequence[str]) -> tuple[str, ...]:
    if wanted:
        unknown = [name for name in wanted if name not in known]
        if unknown:
            told = ", ".join(log(one_line(name)) for name in known) or "none"
            raise ConfigError(f"no workflow here is called {unknown[0]!r} (--workflow); there are: {told}")
        return tuple(dict.fromkeys(wanted))
    if not testing:
        raise ConfigError(
            "no workflow in .github/workflows runs tests on push or pull_request, as far as can be read; name those "
            "that do with --workflow NAME, or add one first"
        )
    return tuple(dict.fromkeys(workflow.name for workflow in testing))


def _commit(environment: Mapping[str, str]) -> str | None:
    """The commit of this version's tag, by the code host's word; None where it cannot be asked or does not know."""
    try:
        forge = code_host.connect(environment, ACTION_REPOSITORY)
        sha = None if forge is None else forge.resolve(TAG)
    except ForgeError as error:
        print(f"Pinned by tag, for the commit could not be asked for: {log(one_line(str(error)))}", file=sys.stderr)
        return None
    return sha if sha is not None and re.fullmatch(r"[0-9a-f]{40}", sha) else None


def _show(paste: Paste) -> None:
    print(f"\nAdd this step to {log(paste.place)}:\n\n{log(paste.step)}")
    for note in paste.notes:
        print(f"- {log(note)}.")
    print(f"\n{paste.permissions}")


def _next_steps(written: Sequence[str], mode: Mode, secrets: Secrets) -> None:
    key, others = secrets.key, ", ".join(secrets.others)
    more = f"; and {others}, which the settings name" if others else ""
    print("\nThen:")
    print(f"1. Give the repository the secret {key} (gh secret set {key}); without it search alone repairs{more}.")
    print("2. Settings → Actions → General: allow “Allow GitHub Actions to create and approve pull requests”.")
    if mode is Mode.STEP:
        print("3. Commit, push, and see what is missing: grokfix doctor")
    else:
        print(f"3. Merge {' and '.join(written)} into the default branch: these triggers work from there alone.")
        print("4. See what is missing: grokfix doctor")
