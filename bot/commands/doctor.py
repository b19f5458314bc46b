"""`grokfix doctor`: what a repository lacks for grokfix on GitHub, and what to do about it. Changes nothing."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot import config
from bot.adapters.clock import SystemClock
from bot.commands import code_host
from bot.config import ModelSettings, Settings
from bot.errors import ConfigError
from bot.ports import Message, ModelRequest
from bot.setup.check_files import check_files, uses_of
from bot.setup.check_forge import Asked, check_forge, no_token
from bot.setup.check_machine import check_docker, check_model
from bot.setup.checks import Check, has_problem, render_json, render_text
from bot.setup.settings import settings_of
from bot.setup.workflows import Workflows, read_workflows
from bot.trace.redact import Redactor
from bot.workspace.layout import locate
from bot.workspace.remote import origin

_PROBE_SECONDS = 60.0
_PROBE_TOKENS = 16
_SLUG = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


def execute(options: argparse.Namespace) -> int:
    """0 where nothing is to be mended, 1 otherwise."""
    environment = config.process_environment()
    root = locate(Path(options.path)).root
    repository = _repository(options.repository, root, environment)
    workflows = read_workflows(root)
    try:
        settings, fault = settings_of(root, environment), ""
    except ConfigError as error:  # the other checks go on with the defaults
        settings, fault = config.load(None, "defaults", environment), str(error)
    checks = (
        *check_files(workflows, fault or settings),
        *_of_code_host(repository, settings, environment, workflows),
        *_of_machine(settings, root, probe=options.probe),
    )
    told = render_json(repository, checks) if options.format == "json" else render_text(checks)
    keys = (settings.model.api_key_env, *(provider.api_key_env for provider in settings.model.providers))
    secrets = [environment.get(name, "") for name in (*code_host.TOKENS, *keys)]
    sys.stdout.write(Redactor(tuple(filter(None, secrets))).redact(told))
    return 1 if has_problem(checks) else 0


def _repository(wanted: str, root: Path, environment: Mapping[str, str]) -> str:
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    repository = wanted or environment.get("GITHUB_REPOSITORY") or origin(root, server) or ""
    if repository and not _SLUG.fullmatch(repository):
        raise ConfigError(f"{repository[:100]!r} is no repository's name; write it as OWNER/NAME")
    return repository


def _of_code_host(
    repository: str, settings: Settings, environment: Mapping[str, str], workflows: Workflows
) -> tuple[Check, ...]:
    if not repository:
        return no_token("which repository is not known here: say --repository OWNER/NAME")
    forge = code_host.connect(environment, repository)
    if forge is None:
        return no_token(f"no token: set {' or '.join(code_host.TOKENS)} to have {repository} asked")
    return check_forge(Asked(forge, settings, environment, uses_of(workflows)))


def _of_machine(settings: Settings, root: Path, *, probe: bool) -> Iterator[Check]:
    from bot.adapters.docker_look import engine_version, find_image
    from bot.adapters.openai_models import list_models

    clock = SystemClock()
    yield from check_model(settings, lambda model: list_models(model, clock), _served if probe else None)
    yield from check_docker(settings, root, engine_version, find_image)


def _served(model: ModelSettings) -> str:
    """The model that answers, by the endpoint's own word."""
    from bot.adapters.openai import OpenAIModel
    from bot.adapters.xai import XaiModel

    request = ModelRequest(
        (Message("user", "Answer with the word ok."),), max_completion_tokens=_PROBE_TOKENS, seconds=_PROBE_SECONDS
    )
    adapter = XaiModel if model.kind == "xai" else OpenAIModel
    return adapter(model, SystemClock(), {}).complete(request).model
