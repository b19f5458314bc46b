"""Repair of flaky tests of the zoo in the process sandbox, from a proof that is given: by template and by a model."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot import process
from bot.adapters.clock import SystemClock
from bot.adapters.local import ProcessSandbox
from bot.commands.compose import tools_for
from bot.config import ModelSettings, Settings, SuiteSettings
from bot.evidence.types import TestId
from bot.flaky.mend.base import Wavering
from bot.flaky.mend.gates import Care
from bot.flaky.types import Cause, Counts, Proof, Trial
from bot.mend import Plan, mend
from bot.propose.search.diff import unified
from bot.reproduce import Job, Stages
from bot.result import Result, RunOutcome
from bot.toolchains.types import Conditions
from bot.workspace.git import Repository
from tests import model_server, repositories
from tests.fakes import MemoryRecorder
from tests.model_server import ModelServer

ZOO = Path(__file__).parents[1] / "zoo"


# No template writes into a test with defaults and a text over several lines, so that the model has to be asked.
ADMIN = """\
from shop.rates import load, rate


def test_a_table_can_be_loaded(dollars=2.0):
    said = '''
    the dollar as it was loaded'''
    load({"EUR": 1.0, "USD": dollars})
    assert rate("USD") == 2.0, said
"""
POUNDS = ("tests/test_basket.py::test_pounds", Cause.VICTIM, ("tests/test_admin.py::test_a_table_can_be_loaded",))


def proven(test: str, cause: Cause, before: tuple[str, ...], conditions: Conditions) -> Wavering:
    target, polluters = TestId.from_node_id(test), tuple(map(TestId.from_node_id, before))
    trial = Trial("provoked", (*polluters, target), conditions, Counts(10, 10))
    return Wavering(target, Proof(cause, "as given", (trial,), polluters), Counts(10, 10), Counts(20, 4), None)


def mended(
    tmp_path: Path, name: str, wavering: Wavering, instead: dict[str, str], settings: Settings, *more: Wavering
) -> Result:
    """A project of the zoo, some of its files written anew, repaired with the model that the settings name, if any."""
    files: dict[str, bytes | str] = {
        path.relative_to(ZOO / name).as_posix(): path.read_bytes()
        for path in sorted((ZOO / name).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    files["pytest.ini"] = (
        b"[pytest]\naddopts = -p no:hypothesispytest -p no:playwright -p no:anyio\n"  # they start slowly
    )
    repository = Repository.open(repositories.make(tmp_path / "project", files | instead), tmp_path / "scratch")
    suite = SuiteSettings(interpreter=sys.executable)
    sandbox = ProcessSandbox(tmp_path / "boxes")
    tools = tools_for(settings, repository, sandbox, MemoryRecorder(), suite, str)
    plan = Plan((wavering, *more), bool(settings.asked_model()), Care(2, 2))
    return mend(plan, Job(suite), settings, tools, Stages(SystemClock()))


def asking(server: ModelServer, attempts: int) -> Settings:
    model = ModelSettings(name="scripted", base_url=server.base_url, api_key="sk-grokfix-test-0123456789")
    plain = Settings()
    return replace(plain, engine="model", model=model, limits=replace(plain.limits, attempts=attempts))


def edit(path: str, old: str, new: str) -> str:
    """A diff of one file of the project."""
    before = ADMIN if path == "tests/test_admin.py" else (ZOO / "victim" / path).read_text()
    assert old in before
    return unified(path, before, before.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "test", "cause", "before", "conditions", "says"),
    [
        ("hash_order", "test_tags.py::test_show", Cause.HASH_ORDER, (), Conditions(hash_seed=None), "sorted("),
        (
            "victim",
            "tests/test_basket.py::test_pounds",
            Cause.VICTIM,
            ("tests/test_admin.py::test_a_table_can_be_loaded",),
            Conditions(in_order=True),
            "monkeypatch.setattr(rates",
        ),
    ],
)
def test_repaired_by_template(
    tmp_path: Path, name: str, test: str, cause: Cause, before: tuple[str, ...], conditions: Conditions, says: str
) -> None:
    if cause is Cause.HASH_ORDER:
        conditions = Conditions(hash_seed=seed_that_fails())
    wavering = proven(test, cause, before, conditions)
    result = mended(tmp_path, name, wavering, {}, Settings())
    (repair,) = result.repairs
    assert repair.outcome is RunOutcome.REPAIRED, (repair.message, [each.message for each in repair.attempts])
    assert says in (result.patch or "")
    proof = repair.flaky
    assert proof is not None
    assert (proof.before, proof.after, proof.ordinary_after) == (Counts(10, 10), Counts(2), Counts(2))
    assert "fail" not in repair.risks
    clean, reverted = repair.gates[-2:]
    assert (clean.name.value, reverted.name.value) == ("clean", "reverted")
    assert "10 of 10 times before and 0 of 2 after" in clean.evidence


def seed_that_fails() -> int:
    """A hash seed under which the set of the two tags is iterated in the wrong order, by this interpreter."""
    for seed in range(50):
        code = "print(*{'news', 'sport'})"
        done = process.run((sys.executable, "-c", code), cwd=ZOO, environment={"PYTHONHASHSEED": str(seed)}, seconds=30)
        if done.stdout.split() == [b"sport", b"news"]:
            return seed
    raise AssertionError("no seed of fifty")


MASKS = {
    "sleep": ("shop/rates.py", "    if not _rates:\n", "    import time\n\n    time.sleep(0.1)\n    if not _rates:\n"),
    "retry": (
        "shop/rates.py",
        "    return _rates[currency]\n",
        "    for _ in range(2):\n        try:\n            return _rates[currency]\n        except KeyError:\n"
        '            _rates.clear()\n            load({"EUR": 1.0, "USD": 1.1, "GBP": 0.85})\n',
    ),
    "retry marker": (
        "tests/test_basket.py",
        "def test_pounds",
        "@pytest.mark.flaky(reruns=3)\ndef test_pounds",
    ),
    "reset in the victim": (
        "tests/test_basket.py",
        "def test_pounds():\n",
        "def test_pounds():\n    import shop.rates\n\n    shop.rates._rates.clear()\n",
    ),
    "reload in the victim": (
        "tests/test_basket.py",
        "def test_pounds():\n",
        "def test_pounds():\n    import importlib\n    import shop.rates\n\n    importlib.reload(shop.rates)\n",
    ),
    "skip": ("tests/test_basket.py", "def test_pounds():\n", "def test_pounds():\n    pytest.skip('flaky')\n"),
    "looser": ("tests/test_basket.py", "== 85.0", "> 0"),
    "weaker polluter": ("tests/test_admin.py", '    load({"EUR": 1.0, "USD": dollars})\n', ""),
}


def test_what_hides_the_failure_is_refused_by_name(tmp_path: Path) -> None:
    replies = [model_server.fix(name, edit(*mask)) for name, mask in MASKS.items()]
    with ModelServer(replies) as server:
        wavering = proven(*POUNDS, Conditions(in_order=True))
        result = mended(tmp_path, "victim", wavering, {"tests/test_admin.py": ADMIN}, asking(server, len(MASKS)))
        asked = server.requests[0].text
    (repair,) = result.repairs
    assert (result.outcome, result.patch) == (RunOutcome.GAVE_UP, None)
    assert [each.verdict for each in repair.attempts] == ["rejected"] * len(MASKS)
    said = {name: each.message for name, each in zip(MASKS, repair.attempts, strict=True)}
    assert "sleep makes the failure rarer" in said["sleep"]
    assert "retry hides" in said["retry"]
    assert "retry hides" in said["retry marker"]
    assert "holds the victim" in said["reset in the victim"] or "test_pounds gains" in said["reset in the victim"]
    assert "loaded anew" in said["reload in the victim"]
    assert "skip" in said["skip"]
    assert "assertion" in said["looser"]
    assert "test_a_table_can_be_loaded loses" in said["weaker polluter"]
    assert "Polluter, run before it in this order: tests/test_admin.py::test_a_table_can_be_loaded" in asked
    assert "shop/rates.py:3 _rates" in asked


GOOD = """\
from shop import rates
from shop.rates import load, rate


def test_a_table_can_be_loaded(monkeypatch, dollars=2.0):
    monkeypatch.setattr(rates, "_rates", dict(rates._rates))
    said = '''
    the dollar as it was loaded'''
    load({"EUR": 1.0, "USD": dollars})
    assert rate("USD") == 2.0, said
"""


def test_a_model_learns_that_hiding_is_refused_and_repairs_the_polluter(tmp_path: Path) -> None:
    replies = [
        model_server.fix("slow", edit(*MASKS["sleep"])),
        model_server.fix("the polluter leaves its table behind", unified("tests/test_admin.py", ADMIN, GOOD)),
    ]
    with ModelServer(replies) as server:
        wavering = proven(*POUNDS, Conditions(in_order=True))
        result = mended(tmp_path, "victim", wavering, {"tests/test_admin.py": ADMIN}, asking(server, 3))
        assert "sleep makes the failure rarer" in server.requests[1].text
    (repair,) = result.repairs
    assert repair.outcome is RunOutcome.REPAIRED, (repair.message, [each.message for each in repair.attempts])
    assert [each.verdict for each in repair.attempts] == ["rejected", "plausible"]
    assert [gate.name.value for gate in repair.gates[-2:]] == ["clean", "reverted"]


def test_a_change_that_repairs_nothing_fails_under_the_provocation(tmp_path: Path) -> None:
    useless = edit("shop/rates.py", "_rates.update(table)", "_rates.update(dict(table))")
    with ModelServer([model_server.fix("the table is shared", useless)]) as server:
        wavering = proven(*POUNDS, Conditions(in_order=True))
        result = mended(tmp_path, "victim", wavering, {"tests/test_admin.py": ADMIN}, asking(server, 1))
    (repair,) = result.repairs
    assert (repair.outcome, repair.attempts[0].verdict) == (RunOutcome.GAVE_UP, "failing")


def test_another_victim_of_the_same_polluter_is_held_to_the_same_runs(tmp_path: Path) -> None:
    first = proven(*POUNDS, Conditions(in_order=True))
    second = proven("tests/test_export.py::test_dollars_on_the_invoice", *POUNDS[1:], Conditions(in_order=True))
    result = mended(tmp_path, "victim", first, {}, Settings(), second)
    assert [repair.outcome for repair in result.repairs] == [RunOutcome.REPAIRED] * 2
    message = result.repairs[1].message
    assert "another repair of this run heals it too" in message
    assert "10 of 10 times before and 0 of 2 after" in message
    assert "0 of 2 after (the whole suite)" in message
