"""Checks on this machine and the model's endpoint; what must be asked of them comes in as functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bot.config import ModelSettings, Settings, SuiteSettings
from bot.errors import ConfigError, ModelError, SandboxError
from bot.setup.checks import Check, ok, problem, unknown
from bot.toolchains.python import PythonToolchain

ListModels = Callable[[ModelSettings], "tuple[str, ...] | None"]
"""Names that the endpoint offers; None where it lists none. Raises ModelError, ConfigError."""

Probe = Callable[[ModelSettings], str]
"""Asks the model for a word, and returns the served model's name. Raises ModelError, ConfigError."""

EngineVersion = Callable[[], str]
"""Version of the Docker engine. Raises SandboxError."""

FindImage = Callable[[str], str]
"""Where an image is ("is present", "can be pulled"). Raises SandboxError."""


def check_model(settings: Settings, list_models: ListModels, probe: Probe | None) -> tuple[Check, ...]:
    """Key and served model of every endpoint. Without a key nothing is sent. probe: None unless spending tokens was
    asked for."""
    if settings.engine == "search":
        return (ok("model", "engine search asks none"),)
    return tuple(check for endpoint in settings.model.configured() for check in _endpoint(endpoint, list_models, probe))


def _endpoint(model: ModelSettings, list_models: ListModels, probe: Probe | None) -> Iterator[Check]:
    whose = f" of {model.provider}" if model.provider else ""
    if model.api_key_env and not model.api_key:
        missing = f"no key in {model.api_key_env} here; on GitHub the secret counts"
        yield unknown(f"key{whose}", missing, f"set {model.api_key_env} to have key and model tried")
        yield unknown(f"model{whose}", "not asked without a key")
        return
    try:
        served = "" if probe is None else probe(model)
        names = list_models(model) if probe is None else None
    except (ModelError, ConfigError) as error:
        yield problem(f"key{whose}", str(error), f"mend {model.api_key_env or 'its key'} or base_url")
        yield unknown(f"model{whose}", "see key")
        return
    if served:
        yield ok(f"key{whose}", f"{model.base_url} takes it")
        yield ok(f"model{whose}", f"{model.name} is served by {served}")
    else:
        yield _key(model, names, f"key{whose}")
        yield _listed(model, names, f"model{whose}")


def _key(model: ModelSettings, names: tuple[str, ...] | None, name: str) -> Check:
    if names is None:
        return unknown(name, f"{model.base_url} answers and lists no models", "say --probe to have it tried")
    return ok(name, f"{model.base_url} takes it")


def _listed(model: ModelSettings, names: tuple[str, ...] | None, name: str) -> Check:
    if names is not None and model.name in names:
        return ok(name, f"{model.name} is offered")
    told = "" if names is None else f" among the {len(names)} that it lists"
    return unknown(name, f"{model.name} is not{told or ' listed'}; it may be another's alias", "say --probe to try it")


def check_docker(
    settings: Settings, root: Path, engine_version: EngineVersion, find_image: FindImage
) -> tuple[Check, ...]:
    """The engine and the base image of every suite."""
    if settings.sandbox.kind == "process":
        return (ok("Docker", "sandbox process needs none, and isolates nothing"),)
    try:
        checks = [ok("Docker", f"engine {engine_version()} answers")]
    except SandboxError as error:
        advice = "needed to run tests here; the ubuntu machines of GitHub have it, a runner of your own may not"
        return (problem("Docker", str(error), advice),)
    for suite in settings.suites:
        name = f"image of {suite.name}"
        try:
            image = _image(root, suite)
            checks.append(ok(name, f"{image} {find_image(image)}"))
        except ConfigError as error:
            checks.append(problem(name, str(error), "mend it in .github/grokfix.yml"))
        except SandboxError as error:
            checks.append(
                problem(name, str(error), "name one that can be had in suites[].image, or load it: docker load")
            )
    return tuple(checks)


def _image(root: Path, suite: SuiteSettings) -> str:
    return PythonToolchain(suite).plan(root, suite, isolated=True).image
