"""The error tree. Expected outcomes are values; an exception here is infrastructure or usage.

    BotError                what was wrong, where, and what to do about it
    ├── ConfigError         exit 2: settings, arguments, a repository that cannot be worked on
    ├── ForgeError          exit 3: the code host's API
    ├── ModelError          exit 3: the model's API, after the budgeted retries
    └── SandboxError        exit 3: Docker, images, set-up, disk

Adapters translate foreign exceptions into these with `raise … from`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.ports import Usage


class BotError(Exception):
    """Root of every error this program raises on purpose; `str()` is shown to the user as it is."""

    exit_code = 3


class ConfigError(BotError):
    """Wrong settings or usage; the message names the key or argument and its line where there is one."""

    exit_code = 2


class ForgeError(BotError):
    """The code host refused or did not answer. `status` is the HTTP status, 0 where no answer came."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ModelFault(StrEnum):
    """What kind of failure a model's endpoint showed: what a caller can do about it depends on that."""

    OTHER = "other"
    AUTHENTICATION = "authentication"  # 401, 403, a bad key: another provider may help, repeating does not
    CREDIT = "credit"  # out of money there
    NOT_FOUND = "not_found"  # no such model or path there
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"  # 5xx, unreachable, broken stream, after the budgeted retries
    DEADLINE = "deadline"
    CONTEXT_TOO_LONG = "context_too_long"  # a smaller request may do
    TOOLS_REFUSED = "tools_refused"  # the endpoint or model takes no tools: ask without
    MALFORMED = "malformed"  # an answer that no reading can use


class ModelError(BotError):
    """The model's endpoint refused, did not answer, or answered with what no reading can use.

    `usage` (bot.ports.Usage) is what the failed calls cost; malformed and broken replies are charged too.
    """

    def __init__(self, message: str, *, usage: Usage | None = None, fault: ModelFault = ModelFault.OTHER) -> None:
        super().__init__(message)
        self.usage = usage
        self.fault = fault


class SandboxError(BotError):
    """The sandbox could not be made or was lost; the tests' own failures are never this."""
