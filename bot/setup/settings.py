"""Reading settings where no run follows: the secrets that a run would need may be elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot import config
from bot.config import Settings
from bot.errors import ConfigError
from bot.setup.files import SETTINGS_PATH


def read_settings(text: str | None, name: str, environment: Mapping[str, str]) -> Settings:
    """As `config.load`, but a setup_secret that this environment lacks is no fault: it is the workflow's to give."""
    return config.load(text, name, with_secrets(text, name, environment))


def with_secrets(text: str | None, name: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, in which every setup_secret that the settings name stands at least as an empty one."""
    if text is None:
        return environment
    from bot import config_file

    named = (secret for suite in config_file.parse(text, name).suites for secret in suite.setup_secrets)
    return {**dict.fromkeys(named, ""), **environment}


def settings_of(root: Path, environment: Mapping[str, str]) -> Settings:
    """Settings of the checkout at `root`; the defaults where it has no file. ConfigError where that is broken."""
    path = root / SETTINGS_PATH
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {error}") from error
    return read_settings(text, SETTINGS_PATH, environment)
