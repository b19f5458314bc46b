"""The file's sections as settings: what is not given stays as the defaults have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.config import (
    ModelSettings,
    Price,
    Provider,
    PublishSettings,
    RepairLimits,
    SandboxSettings,
    Settings,
    SuiteOptions,
    SuiteSettings,
    TriageSettings,
    TriggerLimits,
    TriggerSettings,
)
from bot.config_file import File, SuiteSection
from bot.errors import ConfigError
from bot.ports import Service


def settings_of(file: File, environment: Mapping[str, str], name: str) -> Settings:
    """Defaults with the file's values above them; keys and secrets by the variables of `environment` that it names.

    name: of the file, for messages. ConfigError where a set-up secret is not there.
    """
    base = Settings()
    key_variable = file.model.api_key_env or base.model.api_key_env
    model = ModelSettings(
        name=file.model.name or base.model.name,
        base_url=file.model.base_url or base.model.base_url,
        api_key_env=key_variable,
        api_key=environment.get(key_variable, ""),
        prices={
            served: Price(
                price.prompt,
                price.prompt if price.cached is None else price.cached,
                price.completion,
                price.long_prompt,
                price.long_factor,
            )
            for served, price in file.model.prices.items()
        },
        context=file.model.context or base.model.context,
        providers=tuple(
            Provider(
                each.name,
                each.base_url,
                each.api_key_env,
                environment.get(each.api_key_env, ""),
                each.model,
                each.kind,
            )
            for each in file.model.providers
        ),
        kind=file.model.kind,
    )
    limits = RepairLimits(
        attempts=file.limits.attempts or base.limits.attempts,
        minutes=file.limits.minutes or base.limits.minutes,
        cost_usd=base.limits.cost_usd if file.limits.cost_usd is None else file.limits.cost_usd,
        clusters=file.limits.clusters or base.limits.clusters,
        tokens=file.limits.tokens or base.limits.tokens,
        candidates=file.limits.candidates or base.limits.candidates,
    )
    box = base.sandbox.limits
    box = replace(
        box,
        memory=file.sandbox.memory or box.memory,
        cpus=file.sandbox.cpus or box.cpus,
        pids=file.sandbox.pids or box.pids,
        workspace=file.sandbox.workspace or box.workspace,
        runtime=file.sandbox.runtime,
        allow_missing=file.sandbox.allow_missing_limits,
    )
    return Settings(
        model=model,
        engine=file.engine or base.engine,
        limits=limits,
        suites=tuple(_suite(suite, environment, name) for suite in file.suites) or base.suites,
        sandbox=SandboxSettings(file.sandbox.kind or base.sandbox.kind, box, file.sandbox.image_cache),
        protect=tuple(file.protect),
        instructions=file.instructions,
        triggers=_triggers(file, base.triggers),
        publish=PublishSettings(
            draft=file.publish.draft,
            labels=tuple(file.publish.labels),
            reviewers=tuple(file.publish.reviewers),
            on_pull_request=file.publish.on_pull_request,
            dispatch=file.publish.dispatch,
        ),
        triage=_triage(file, base.triage),
    )


def _triage(file: File, base: TriageSettings) -> TriageSettings:
    given = file.triage
    return TriageSettings(
        days=given.days or base.days,
        minutes=given.minutes or base.minutes,
        runs=given.runs or base.runs,
        suspects=given.suspects or base.suspects,
        workflows=tuple(given.workflows),
        quarantine_days=given.quarantine_days or base.quarantine_days,
        end_quarantine=given.end_quarantine,
        kept_days=given.kept_days or base.kept_days,
        network=given.network,
    )


def _triggers(file: File, base: TriggerSettings) -> TriggerSettings:
    given, limits = file.limits, base.limits
    return TriggerSettings(
        bots=tuple(file.triggers.bots),
        artifacts=base.artifacts if file.triggers.artifacts is None else tuple(file.triggers.artifacts),
        limits=TriggerLimits(
            per_fingerprint=given.per_fingerprint or limits.per_fingerprint,
            per_pull_request=given.per_pull_request or limits.per_pull_request,
            per_day=given.per_day or limits.per_day,
            per_day_minutes=given.per_day_minutes or limits.per_day_minutes,
            per_day_cost_usd=limits.per_day_cost_usd if given.per_day_cost_usd is None else given.per_day_cost_usd,
        ),
    )


def _suite(section: SuiteSection, environment: Mapping[str, str], name: str) -> SuiteSettings:
    missing = [secret for secret in section.setup_secrets if secret not in environment]
    if missing:
        raise ConfigError(
            f"{name}: suites[{section.name}].setup_secrets names {', '.join(missing)}, "
            "which the environment does not have; set it or take it out of the list"
        )
    return SuiteSettings(
        name=section.name,
        path=section.path,
        image=section.image,
        setup=None if section.setup is None else tuple(tuple(command) for command in section.setup),
        setup_secrets={secret: environment[secret].encode() for secret in section.setup_secrets},
        setup_allow=tuple(section.setup_allow),
        test=tuple(section.test),
        junit=section.junit,
        interpreter=section.interpreter,
        services=tuple(
            Service(service.image, service.environment, tuple(service.ready), service.ready_seconds)
            for service in section.services
        ),
        triage=SuiteOptions(tuple(section.triage.shuffle), tuple(section.triage.workers)),
        seconds=section.seconds,
        test_seconds=section.test_seconds,
    )
