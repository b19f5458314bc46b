"""The claim over HTTP: the adapter, the tests' GitHub server, several runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from bot.config import RepairLimits, Settings
from bot.ports import Permission
from bot.trigger.claim import claim
from bot.trigger.data_branch import BRANCH
from bot.trigger.ledger import Ledger
from bot.trigger.types import Claim, Ignored, OwnRun
from tests.contract.forge_cases import ServerHost
from tests.fakes import FakeClock
from tests.github_server import DoneBut, GitHubServer
from tests.unit.trigger.sample import of_run, said

SETTINGS = Settings(limits=RepairLimits(minutes=1, cost_usd=0.01))


@pytest.fixture
def host(github: GitHubServer) -> Iterator[ServerHost]:
    made = ServerHost(github)
    made.push("main", {"shop.py": "x = 1\n"})
    made.person("dev", Permission.WRITE)
    yield made
    made.forge.close()


def own(host: ServerHost) -> OwnRun:
    number = host.add_run(host.push("elsewhere", {"x": "y"}), workflow="lint", status="in_progress", conclusion="")
    return OwnRun(number, f"{host.server.server_url}/{host.forge.repository}/actions/runs/{number}")


def claim_run(host: ServerHost, run_id: int, us: OwnRun) -> object:
    """As a process of its own does it."""
    with closing(host.new_forge()) as forge:
        run = forge.run(run_id)
        assert run is not None
        return claim(of_run(run), forge, SETTINGS, FakeClock(), us)


def test_runs_at_once_make_one_claim_a_commit_and_lose_no_line(host: ServerHost) -> None:
    main = host.push("main", {"shop.py": "x = 2\n"})
    runs = [host.add_run(main) for _ in range(4)]
    for number in range(3):
        head = host.push(f"b{number}", {"x": str(number)}, start="main")
        runs.append(host.add_run(head, branch=f"b{number}"))
    ours = [own(host) for _ in runs]
    with ThreadPoolExecutor(len(runs)) as pool:
        answers = list(pool.map(claim_run, [host] * len(runs), runs, ours))
    assert sum(isinstance(answer, Claim) for answer in answers[:4]) == 1
    assert sum(isinstance(answer, Ignored) for answer in answers[:4]) == 3
    assert all(isinstance(answer, Claim) for answer in answers[4:])
    assert len(Ledger(host.forge, FakeClock()).entries()) == 4


def test_requests_of_a_comments_claim(host: ServerHost) -> None:
    """With the data branch there: permission, pull request, failed runs, ledger, reaction, commit; nothing twice."""
    Ledger(host.forge, FakeClock()).end("f" * 16, outcome="", minutes=0, cost_usd=0, also={"x": b"x"})
    host.push("feature", {"x": "y"}, start="main")
    pull = host.add_pull("feature")
    comment = host.say(pull, "dev", "/grok fix")
    us = own(host)
    asked = len(host.asked)
    with closing(host.new_forge()) as forge:
        found = claim(said(pull, comment=comment), forge, SETTINGS, FakeClock(), us)
    assert isinstance(found, Claim)
    requests = host.asked[asked:]
    assert len(requests) <= 11, requests
    assert len(set(requests)) == len(requests)
    reaction = next(number for number, request in enumerate(requests) if "reactions" in request)
    assert reaction < 7, requests


@pytest.mark.parametrize("path", ["/git/refs/heads/grokfix-data", "/git/commits", "/git/trees"])
def test_an_answer_that_got_lost_makes_no_second_line(host: ServerHost, path: str) -> None:
    us = own(host)
    first = claim_run(host, host.add_run(host.push("main", {"a": "b"})), us)
    assert isinstance(first, Claim)
    run = host.add_run(host.push("main", {"a": "c"}))
    host.server.fault("PATCH" if "refs" in path else "POST", path, DoneBut(502))
    second = claim_run(host, run, own(host))
    assert isinstance(second, Claim)
    assert [entry.claim for entry in Ledger(host.forge, FakeClock()).entries()] == [first, second]
    assert host.shop.file(BRANCH, "ledger/attempts.jsonl").count(b"\n") == 2
