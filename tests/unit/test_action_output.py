from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.action_output import StepFiles, say
from bot.config_action import ActionContext, read_action
from tests.unit.test_config_action import RUN


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    context, _ = read_action(RUN)
    return replace(context, output_path=str(tmp_path / "output"), summary_path=str(tmp_path / "summary"))


def outputs(path: str) -> dict[str, str]:
    """As the runner reads them."""
    found: dict[str, str] = {}
    lines = Path(path).read_text().split("\n")
    while lines and (first := lines.pop(0)):
        name, _, delimiter = first.partition("<<")
        value: list[str] = []
        while (line := lines.pop(0)) != delimiter:
            value.append(line)
        found[name] = "\n".join(value)
    return found


@pytest.mark.parametrize("value", ["plain", "", "two\nlines", "x\npull-request<<EOF\nhttp://evil\nEOF\n", "grokfix-\n"])
def test_a_value_cannot_set_another_output(context: ActionContext, value: str) -> None:
    files = StepFiles(context)
    files.output(outcome=value)
    files.output(cost_usd="0.5")
    assert outputs(context.output_path) == {"outcome": value, "cost-usd": "0.5"}


def test_a_summary_is_cut_below_the_limit(context: ActionContext) -> None:
    StepFiles(context).summary("é" * 2_000_000)
    text = Path(context.summary_path).read_text()
    assert len(text.encode()) < 1 << 20
    assert "cut here" in text


def test_nothing_to_write_to(context: ActionContext) -> None:
    files = StepFiles(replace(context, output_path="", summary_path=""))
    files.output(outcome="repaired")
    files.summary("done")


@pytest.mark.parametrize(
    "text", ["::add-mask::a", "\r::error::x", "x\u0085::error::y", "x ##[error]y", "a\n  ::set-env::"]
)
def test_no_workflow_command_survives(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(text)
    told = capsys.readouterr().err
    for line in told.replace("\r", "\n").replace("\u0085", "\n").split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
