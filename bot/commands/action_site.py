"""What every part of the action works with, and the first steps that all of them take."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot import config
from bot.commands.compose import secrets_of
from bot.config import Settings
from bot.config_action import ActionContext, ActionInputs
from bot.errors import ConfigError, ForgeError
from bot.ports import Clock, Forge, JsonValue
from bot.trace.redact import Redactor
from bot.trigger.types import OwnRun

_LARGEST_EVENT = 32 << 20


@dataclass(frozen=True, slots=True)
class Site:
    """One step of a run: what it was told, whom it talks to, and where it may write."""

    context: ActionContext
    inputs: ActionInputs
    forge: Forge
    clock: Clock
    settings: Settings
    redactor: Redactor = field(repr=False)
    scratch: Path

    @property
    def own(self) -> OwnRun:
        return OwnRun(self.context.run_id, self.context.run_url, self.context.runner)


def read_event(path: str) -> Mapping[str, JsonValue]:
    """The payload of the event that started the run; ConfigError where it is none."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_EVENT + 1)
        if len(data) > _LARGEST_EVENT:
            raise ConfigError(f"the event in {path} is larger than {_LARGEST_EVENT >> 20} MiB")
        payload = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"the event in {path} cannot be read: {error}; GITHUB_EVENT_PATH names it") from error
    if not isinstance(payload, dict):
        raise ConfigError(f"the event in {path} is not a JSON object")
    return payload


def default_branch(payload: Mapping[str, JsonValue], forge: Forge) -> str:
    """By the event's word, which the runner has from GitHub itself; a call where it does not say."""
    repository = payload.get("repository")
    told = repository.get("default_branch") if isinstance(repository, Mapping) else None
    return told if isinstance(told, str) and told else forge.default_branch()


def settings_of(inputs: ActionInputs, forge: Forge, branch: str) -> Settings:
    """Settings of the default branch, read through the API: what a pull request changes in them counts once merged."""
    try:
        content = forge.file(inputs.config, branch)
    except ForgeError as error:
        raise ForgeError(
            f"the settings {inputs.config} of {branch} could not be read: {error}", status=error.status
        ) from error
    try:
        text = None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{inputs.config} of {branch} is not UTF-8 text") from error
    name = f"{inputs.config} of {branch}"
    environment = config.process_environment()
    if inputs.mode in ("claim", "publish"):
        from bot.setup.settings import with_secrets

        environment = with_secrets(text, name, environment)  # jobs that set nothing up are given no secret
    return config.load(
        text,
        name,
        environment,
        api_key=inputs.api_key or None,
        model=inputs.model,
        base_url=inputs.base_url,
        engine=inputs.engine,
        max_attempts=inputs.max_attempts,
        max_minutes=inputs.max_minutes,
        max_cost=inputs.max_cost,
    )


def redactor_of(inputs: ActionInputs, settings: Settings | None) -> Redactor:
    """Takes every secret of this process out of what leaves it."""
    environment = config.process_environment()
    known = (inputs.token, inputs.api_key)
    found = secrets_of(settings, environment) if settings is not None else ()
    return Redactor(tuple(dict.fromkeys(filter(None, (*known, *found)))))


def bundle_folder(context: ActionContext, inputs: ActionInputs, *, fresh: bool) -> Path:
    """The bundle's folder in the workspace. The checkout there is a stranger's: nothing is written or read through a
    link of it, and a `fresh` folder is a new or empty one."""
    root = Path(context.workspace or ".")
    parts = Path(inputs.bundle).parts
    if not parts or Path(inputs.bundle).is_absolute() or ".." in parts:
        raise ConfigError(f"input bundle is {inputs.bundle[:200]!r}; it must be a folder inside the workspace")
    folder = root
    for part in parts:
        folder = folder / part
        if not os.path.lexists(folder):
            continue
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise ConfigError(
                f"{part!r} of the bundle's path {inputs.bundle!r} is in the workspace and is no folder; "
                "give another name with the input bundle"
            )
    if fresh:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(
                f"the folder {inputs.bundle!r} is in the workspace already and not empty; "
                "give another name with the input bundle"
            )
    return folder
