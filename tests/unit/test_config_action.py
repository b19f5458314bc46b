from pathlib import Path

import pytest
import yaml

from bot.config_action import ENGINES, MODES, OUTCOMES, ActionInputs, read_action
from bot.errors import ConfigError
from bot.result import RunOutcome

RUN = {
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_EVENT_PATH": "/event.json",
    "GITHUB_REPOSITORY": "octo/shop",
    "GITHUB_RUN_ID": "17",
    "GITHUB_SHA": "a" * 40,
}


def test_inputs_keep_their_hyphens() -> None:
    _, inputs = read_action(
        RUN
        | {
            "INPUT_MODE": "analyze",
            "INPUT_GITHUB-TOKEN": "ghs_secret",
            "INPUT_MAX-ATTEMPTS": "3",
            "INPUT_MAX-COST": "0.25",
            "INPUT_JUNIT": "reports/*.xml more.xml",
            "INPUT_FAIL-ON": "gave_up, stopped",
            "INPUT_ENGINE": " search ",
        }
    )
    assert inputs == ActionInputs(
        mode="analyze",
        token="ghs_secret",
        engine="search",
        max_attempts=3,
        max_cost=0.25,
        junit=("reports/*.xml", "more.xml"),
        fail_on=("gave_up", "stopped"),
    )


def test_empty_inputs_are_not_given() -> None:
    _, inputs = read_action(RUN | {"INPUT_MODEL": "", "INPUT_MAX-COST": "", "INPUT_CONFIG": "", "INPUT_MODE": ""})
    assert inputs == ActionInputs()


def test_servers_of_an_enterprise() -> None:
    context, _ = read_action(
        RUN
        | {"GITHUB_API_URL": "https://git.example.com/api/v3/", "GITHUB_SERVER_URL": "https://git.example.com"}
        | {"GITHUB_GRAPHQL_URL": "https://git.example.com/api/graphql"}
    )
    assert (context.api_url, context.graphql_url) == (
        "https://git.example.com/api/v3",
        "https://git.example.com/api/graphql",
    )
    assert context.run_url == "https://git.example.com/octo/shop/actions/runs/17"


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        read_action(
            {
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_REPOSITORY": "octo/shop/../..",
                "GITHUB_RUN_ID": "x",
                "GITHUB_SERVER_URL": "file:///etc",
                "INPUT_MODE": "everything",
                "INPUT_MAX-ATTEMPTS": "0",
                "INPUT_MAX-COST": "nan",
                "INPUT_FAIL-ON": "sadness",
            }
        )
    message = str(told.value)
    for named in (
        "GITHUB_EVENT_PATH",
        "GITHUB_REPOSITORY",
        "GITHUB_RUN_ID",
        "GITHUB_SERVER_URL",
        "input mode",
        "input max-attempts",
        "input max-cost",
        "input fail-on",
    ):
        assert named in message


def test_secrets_are_not_shown() -> None:
    _, inputs = read_action(RUN | {"INPUT_GITHUB-TOKEN": "ghs_secret", "INPUT_API-KEY": "xai-secret"})
    assert "secret" not in repr(inputs)


def test_outcomes_are_those_of_a_result() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in RunOutcome}


def test_the_action_declares_what_is_read() -> None:
    """action.yml, the reader and the words of the inputs stay equal."""
    action = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text(encoding="utf-8"))
    renamed = {"github-token": "token"}
    declared = {renamed.get(name, name).replace("-", "_") for name in action["inputs"]}
    assert declared == set(ActionInputs.__dataclass_fields__) - {"shards"}  # the other half of the input shard
    for mode in MODES:
        assert mode in action["inputs"]["mode"]["description"]
    for engine in ENGINES:
        assert engine in action["inputs"]["engine"]["description"]


@pytest.mark.parametrize(
    ("given", "shard", "shards"),
    [
        ("", 1, None),
        ("1", 1, 1),
        ("3", 1, 3),
        ("20", 1, 20),
        ("1/1", 1, 1),
        ("2/3", 2, 3),
        ("20/20", 20, 20),
        (" 2/3 ", 2, 3),
    ],
)
def test_a_shard_is_how_many_there_are_or_which_of_them(given: str, shard: int, shards: int | None) -> None:
    _, inputs = read_action(RUN | {"INPUT_SHARD": given})
    assert (inputs.shard, inputs.shards) == (shard, shards)


@pytest.mark.parametrize(
    "given",
    [
        *("0", "21", "100", "-1", "+2", "1.0", "1e1", "01", "0x2", "two", "true", "[1]", "\u0663", "\u00b2"),
        *(
            "0/2",
            "3/2",
            "1/21",
            "21/21",
            "1/0",
            "1/",
            "/2",
            "1/2/3",
            "1 / 2",
            "1\\2",
            "-1/2",
            "1/-2",
            "1,2",
            "1/2\n3/4",
        ),
        *("9" * 5_000, "1/" + "9" * 5_000, "::error::x", "${{ matrix.shard }}"),
    ],
    ids=lambda given: ascii(given[:20]),
)
def test_a_shard_that_is_none_is_said_and_never_guessed(given: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_action(RUN | {"INPUT_SHARD": given})
    assert "input shard is" in str(told.value)
    assert "from 1 to 20" in str(told.value)
    assert len(str(told.value)) < 400
    assert "\n" not in str(told.value)
