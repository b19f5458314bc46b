"""Settings: order, faults with lines, secrets masked."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
import yaml

from bot import config, config_file
from bot.errors import ConfigError

GOOD = """\
version: 1
model:
  name: some-model
  base_url: https://gateway.example/v1
  api_key_env: GATEWAY_KEY
  prices:
    some-model: {prompt: 1.0, cached: 0.2, completion: 2.0, long_prompt: 200000, long_factor: 2}
engine: search
limits: {attempts: 7, minutes: 3, cost_usd: 0, clusters: 2}
suites:
  - name: unit
    test: python -m pytest "tests/my unit"
    setup: |
      pip install -e .
      pip install pytest
    setup_secrets: [INDEX_TOKEN]
    services:
      - image: postgres:17
        environment: {POSTGRES_PASSWORD: x}
        ready: pg_isready -h 127.0.0.1
sandbox: {kind: docker, memory: 1.5g, cpus: 1}
protect: ["vendor/**"]
"""
ENVIRONMENT = {"GATEWAY_KEY": "k-123", "INDEX_TOKEN": "t-456", "XAI_API_KEY": "x-789"}


def test_defaults_when_there_is_no_file() -> None:
    settings = config.load(None, "", ENVIRONMENT)
    assert settings.engine == "auto"
    assert settings.model.api_key == "x-789"
    assert settings.limits.attempts == 5


def test_file_overrides_defaults() -> None:
    settings = config.load(GOOD, "grokfix.yml", ENVIRONMENT)
    assert settings.model.api_key == "k-123"
    assert settings.model.prices["some-model"].cached == 0.2
    assert settings.limits == config.RepairLimits(7, 3, 0, 2)
    suite = settings.suites[0]
    assert suite.test == ("python", "-m", "pytest", "tests/my unit")
    assert suite.setup == (("pip", "install", "-e", "."), ("pip", "install", "pytest"))
    assert suite.setup_secrets == {"INDEX_TOKEN": b"t-456"}
    assert suite.services[0].ready == ("pg_isready", "-h", "127.0.0.1")
    assert settings.sandbox.limits.memory == int(1.5 * (1 << 30))
    assert settings.protect == ("vendor/**",)


def test_providers_have_keys_of_their_own() -> None:
    text = """\
version: 1
model:
  name: first
  api_key_env: FIRST_KEY
  context: 128000
  providers:
    - {name: gateway, base_url: "https://gateway.example/v1", api_key_env: GATEWAY_KEY, model: vendor/first}
    - {name: shut, base_url: "https://shut.example/v1", api_key_env: UNSET_KEY}
    - {name: here, base_url: "http://127.0.0.1:8080/v1"}
    - {name: native, base_url: "https://api.x.ai", api_key_env: XAI_API_KEY, kind: xai}
limits: {tokens: 5000, candidates: 3}
"""
    settings = config.load(text, "f", ENVIRONMENT | {"FIRST_KEY": "f-1"})
    assert (settings.model.context, settings.limits.tokens, settings.limits.candidates) == (128_000, 5_000, 3)
    asked = [(each.provider, each.name, each.base_url, each.api_key, each.kind) for each in settings.model.endpoints()]
    assert asked == [
        ("", "first", "https://api.x.ai/v1", "f-1", "openai"),
        ("gateway", "vendor/first", "https://gateway.example/v1", "k-123", "openai"),
        ("here", "first", "http://127.0.0.1:8080/v1", "", "openai"),
        ("native", "first", "https://api.x.ai", "x-789", "xai"),
    ], "one whose key is not there is not asked; one that names none needs none"
    assert "k-123" not in repr(settings)
    without = config.load(text, "f", ENVIRONMENT)
    assert without.asked_model() == "vendor/first", "the first that may be asked"
    assert config.load(text, "f", ENVIRONMENT, engine="search").asked_model() == ""
    assert config.load(None, "f", {}).asked_model() == ""
    assert config.load(None, "f", {"XAI_API_KEY": "x"}, candidates=2).limits.candidates == 2


def test_published_schema_is_the_files_own() -> None:
    published = resources.files("bot").joinpath("config.schema.json").read_text(encoding="utf-8")
    assert published == config_file.json_schema()
    jsonschema.validate(yaml.safe_load("version: 1\nengine: search\n"), json.loads(published))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": 1, "engin": "search"}, json.loads(published))


def test_flags_override_the_file() -> None:
    settings = config.load(GOOD, "grokfix.yml", ENVIRONMENT, model="m2", engine="auto", max_attempts=1, max_cost=0.5)
    assert (settings.model.name, settings.engine) == ("m2", "auto")
    assert (settings.limits.attempts, settings.limits.cost_usd) == (1, 0.5)


def test_secrets_are_not_in_the_representation() -> None:
    assert "k-123" not in repr(config.load(GOOD, "f", ENVIRONMENT))
    assert "t-456" not in repr(config.load(GOOD, "f", ENVIRONMENT))


def test_every_fault_is_reported_with_its_line() -> None:
    text = "version: 1\nengin: search\nlimits:\n  attempts: 0\n  minutes: many\nsuites:\n  - path: ../x\n"
    with pytest.raises(ConfigError) as caught:
        config.load(text, "grokfix.yml", {})
    message = str(caught.value)
    assert "grokfix.yml:2: engin: unknown key" in message
    assert "grokfix.yml:4: limits.attempts" in message
    assert "grokfix.yml:5: limits.minutes" in message
    assert "grokfix.yml:7: suites.0.path: must be a path inside the repository" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "version: is missing"),
        ("- a\n", "must be a mapping"),
        ("version: 2\n", "f:1: version"),
        ("version: 1\nversion: 1\n", "f:2: not readable as YAML: key 'version' stands twice"),
        ("a: &x [1]\nb: *x\n", "aliases are not allowed"),
        ("version: [1\n", "not readable as YAML"),
        ("version: 1\nmodel: !!python/object:os.system {}\n", "not readable as YAML"),
        ("version: 1\n\x00", "not readable as YAML"),
        ("version: 1\nsuites: [{name: a}, {name: a}]\n", "two suites have the same name"),
        ("version: 1\nmodel: {providers: [{name: a}]}\n", "f:2: model.providers.0.base_url: is missing"),
        (
            'version: 1\nmodel: {providers: [{name: a, base_url: "http://x"}, {name: a, base_url: "http://y"}]}\n',
            "two providers have the same name",
        ),
        ('version: 1\nmodel: {providers: [{name: a, base_url: "ftp://x"}]}\n', "providers.0.base_url"),
        ("version: 1\nlimits: {tokens: 10, candidates: 99}\n", "limits.candidates"),
        ("version: 1\nmodel: {context: 5}\n", "model.context"),
        ("version: 1\nsuites: [{setup_secrets: [NOPE]}]\n", "NOPE, which the environment does not have"),
        ("version: 1\nx: " + "[" * 5000, "not readable as YAML"),
    ],
)
def test_bad_files(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=r"^f") as caught:
        config.load(text, "f", {})
    assert expected in str(caught.value)


@pytest.mark.parametrize("command", ["", "   ", 'pytest "unclosed'])
def test_bad_test_command(command: str) -> None:
    with pytest.raises(ConfigError, match="--test-command"):
        config.load(None, "", {}, test_command=command)


def test_one_key_serves_every_endpoint_that_names_its_variable() -> None:
    text = """\
version: 1
model:
  providers:
    - {name: same, base_url: "http://a.example/v1", api_key_env: XAI_API_KEY}
    - {name: other, base_url: "http://b.example/v1", api_key_env: OTHER_KEY}
"""
    given = config.load(text, "grokfix.yml", {"OTHER_KEY": "o"}, api_key="k")
    assert [each.api_key for each in given.model.endpoints()] == ["k", "k", "o"]
    assert [each.api_key for each in config.load(text, "grokfix.yml", {}, api_key="k").model.endpoints()] == ["k", "k"]
