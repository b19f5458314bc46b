"""How the repository is set up, as far as the token may read it: for `doctor` alone."""

from __future__ import annotations

from urllib.parse import quote

from bot.adapters.github_api import quoted
from bot.adapters.github_objects import at, flag, items, text
from bot.adapters.github_part import Part
from bot.ports import ActionsSettings

_NEED = "administration: read"
_CLOSED = (403, 404)  # an answer all the same: this token may not know


class RepositorySettings(Part):
    """What a maintainer has set."""

    def actions_settings(self) -> ActionsSettings:
        general = self._api.get(f"{self._repo}/actions/permissions", need=_NEED, absent=_CLOSED)
        token = self._api.get(f"{self._repo}/actions/permissions/workflow", need=_NEED, absent=_CLOSED)
        allowed = text(general, "allowed_actions")
        return ActionsSettings(
            enabled=_known_flag(at(general, "enabled")),
            allowed=allowed or None,
            sha_pinning=_known_flag(at(general, "sha_pinning_required")),
            may_open_pull_requests=_known_flag(at(token, "can_approve_pull_request_reviews")),
        )

    def branch_rules(self, branch: str) -> tuple[str, ...] | None:
        if (place := quoted(branch)) is None:
            return None
        rules = self._api.read(
            f"{self._repo}/rules/branches/{place}", {"per_page": 100}, need="metadata: read", also=_CLOSED
        )
        if not rules.ok:
            return None
        kinds = [text(rule, "type") for rule in items(rules.body)]
        if flag(self._api.get(f"{self._repo}/branches/{place}", need="contents: read", absent=_CLOSED), "protected"):
            kinds.append("protected")
        return tuple(dict.fromkeys(filter(None, kinds)))

    def has_secret(self, name: str) -> bool | None:
        below = f"{self._repo}/actions/secrets/{quote(name, safe='')}"
        own = self._api.read(below, need="secrets: read", also=_CLOSED)
        if own.ok:
            return True
        if own.status == 403:
            return None
        lent = self._api.read(
            f"{self._repo}/actions/organization-secrets", {"per_page": 100}, need="secrets: read", also=_CLOSED
        )
        if lent.ok:
            return any(text(secret, "name").upper() == name.upper() for secret in items(lent.body, "secrets"))
        return None if lent.status == 403 else False


def _known_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
