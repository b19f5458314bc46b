"""Nights of triage on an in-memory code host: claimed, handed in by shards, published, day after day."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.commands.action_handed import read_handed
from bot.commands.action_history import read_on, session_of
from bot.commands.action_lost import ARTIFACT, take_over
from bot.commands.action_night import Published, publish_night
from bot.commands.action_output import StepFiles
from bot.commands.action_site import Site
from bot.config import Settings
from bot.config_action import ActionContext, ActionInputs
from bot.evidence.types import TestId
from bot.flaky.carried import Carried
from bot.flaky.nights import dump
from bot.flaky.quarantine import LIST, Entry, Quarantine, content_of
from bot.flaky.states import replay
from bot.flaky.types import (
    Cause,
    Counts,
    Failed,
    Finding,
    Night,
    Proof,
    RunRecord,
    RunSource,
    Shard,
    State,
    Trial,
    Tried,
)
from bot.ports import WorkflowRun
from bot.toolchains.types import PLAIN, Conditions
from bot.trace.redact import Redactor
from bot.trigger.ledger import Begun, Ledger
from bot.trigger.types import Claim, OwnRun, Triage, Trigger, TriggerKind
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock

DAY = 86_400.0
TOTAL, CHEAPEST, OTHER = (
    TestId.from_node_id(f"tests/test_cart.py::test_{name}") for name in ("total", "cheap", "other")
)
SUITE = (TOTAL, CHEAPEST, OTHER)
SEEDED = Conditions(hash_seed=3)


@dataclass
class Nights:
    """forge: with `main`. Each claim is of a run of its own, on the day that it is."""

    folder: Path
    forge: FakeForge = field(default_factory=FakeForge)
    clock: FakeClock = field(default_factory=FakeClock)
    settings: Settings = field(default_factory=Settings)
    places: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.forge.push("main", {"tests/test_cart.py": "def test_total(): ...\n"})

    def site(self, run: WorkflowRun | None = None) -> Site:
        place = self.folder / f"job-{next(self.places)}"
        (place / "scratch").mkdir(parents=True)
        number = 1 if run is None else run.id
        context = ActionContext(
            event="schedule",
            event_path="",
            repository=self.forge.repository,
            run_id=number,
            run_attempt=1,
            sha="",
            ref="refs/heads/main",
            actor="dev",
            triggering_actor="dev",
            workflow="grokfix triage",
            runner="runner-1",
            workspace=str(place),
            api_url="",
            server_url=self.forge.server_url,
            graphql_url="",
            output_path=str(place / "output"),
            summary_path=str(place / "summary"),
        )
        return Site(
            context,
            ActionInputs(),
            self.forge,
            self.clock,
            self.settings,
            Redactor(("s3cr3t-t0ken",)),
            place / "scratch",
        )

    def claim(self, command: Triage = Triage(2)) -> tuple[Site, Claim]:  # noqa: B008 (frozen)
        """As the claiming job does it; its run goes on until `die` or the end of the test."""
        run = self.forge.add_run(
            self.forge.branches["main"], event="schedule", workflow="grokfix triage", status="in_progress"
        )
        site = self.site(run)
        trigger = Trigger(
            TriggerKind.SCHEDULE,
            self.forge.repository,
            "main",
            "dev",
            sha=self.forge.branches["main"],
            branch="main",
            head_repository=self.forge.repository,
            command=command,
        )
        begun = Ledger(self.forge, self.clock).begin(
            Claim(trigger, f"{run.id:016x}", run.url), OwnRun(run.id, run.url), self.settings, lambda: None
        )
        assert isinstance(begun, Begun)
        if command.is_night:
            read_on(site, begun.claim, take_over(site, begun.claim))
        return site, begun.claim

    def die(self, claim: Claim) -> None:
        """The run of a claim is over, whatever it had still to do."""
        number = int(claim.attempt, 16)
        self.forge.workflow_runs[number] = replace(self.forge.workflow_runs[number], status="completed")

    def upload(self, claim: Claim, *nights: Night, expired: Sequence[int] = ()) -> None:
        """The shards' artifacts, as the workflow uploads them."""
        run = self.forge.workflow_runs[int(claim.attempt, 16)]
        for night in nights:
            number = night.shard.number
            files = {"night.jsonl": dump(night), "trace.jsonl": b"{}\n"}
            self.forge.add_artifact(run, f"{ARTIFACT}{number - 1}", files, expired=number in expired)

    def publish(self, site: Site, claim: Claim, *nights: Night) -> Published:
        folder = self.folder / f"handed-{next(self.places)}"
        folder.mkdir()
        for night in nights:
            (folder / str(night.shard.number)).mkdir()
            (folder / str(night.shard.number) / "night.jsonl").write_bytes(dump(night))
        assert len(read_handed(site, claim, folder, None).nights) == len(nights)
        return publish_night(self.site(), claim, folder, StepFiles(site.context))

    def night(
        self,
        *,
        failing: int = 0,
        runs: int = 40,
        findings: Sequence[Finding] = (),
        lost: Sequence[int] = (),
        days: float = 1,
    ) -> Published:
        """A whole one, at a new commit, a day after the last: of two shards with half of the runs each."""
        self.clock.time += days * DAY
        self.forge.push("main", {"NEWS.md": f"{self.clock.time}\n"})
        site, claim = self.claim()
        shards = [
            seen(
                claim,
                self.clock.now(),
                number,
                failing=failing if number == 1 else 0,
                runs=runs // 2,
                findings=findings,
            )
            for number in (1, 2)
            if number not in lost
        ]
        return self.publish(site, claim, *shards)

    def quarantine(self, *tests: TestId, since: str = "", days: int = 60) -> None:
        """People merge the list; since: "" = today."""
        today = int(self.clock.now() // DAY) * DAY
        entries = tuple(
            Entry(test, "failed 4 of 40", "hash order", "", "", since or day_of(today), day_of(today + days * DAY))
            for test in tests
        )
        content = content_of(entries, Quarantine(), {})
        self.forge.push("main", dict(content.files))

    def listed(self, ref: str = "main") -> bytes | None:
        return self.forge.file(LIST, ref)

    def states(self) -> dict[TestId, State]:
        changes = (change for night in Carried(self.forge).nights() for change in night.changes)
        return {test: change.state for test, change in replay(changes).states.items()}

    def records(self) -> list[RunRecord]:
        return [record for night in Carried(self.forge).nights() for record in night.records]


def seen(
    claim: Claim,
    at: float,
    number: int = 1,
    of: int = 2,
    *,
    failing: int = 0,
    runs: int = 20,
    findings: Sequence[Finding] = (),
    tests: Sequence[TestId] = SUITE,
) -> Night:
    """What a shard hands in: in the first `failing` of its runs CHEAPEST fails."""
    session, sha = session_of(claim), claim.trigger.sha
    records = tuple(
        RunRecord(
            key=f"rerun:{session}/{number}/{run}",
            source=RunSource.RERUN,
            group="branch:main",
            commit=sha,
            environment="docker",
            attempt=1,
            at=at + run,
            seconds=30.0,
            tests=tuple(tests),
            failed={CHEAPEST: Failed("f" * 64, "AssertionError", "3 == 1")} if run < failing else {},
        )
        for run in range(runs)
    )
    return Night(session, Shard(number, of), at, sha, "docker", records, tuple(findings))


def tried_again(times: int = 10) -> Finding:
    trial = Trial("provoked as it was proven", (CHEAPEST,), SEEDED, Counts(times, 0))
    return Finding(CHEAPEST, (), (Tried(Cause.HASH_ORDER, "no more", (trial,)),))


def proven() -> Finding:
    trials = (
        Trial("provoked", (CHEAPEST,), SEEDED, Counts(5, 5)),
        Trial("removed", (CHEAPEST,), PLAIN, Counts(10, 0)),
        Trial("provoked again", (CHEAPEST,), SEEDED, Counts(5, 5)),
    )
    return Finding(CHEAPEST, (Proof(Cause.HASH_ORDER, "PYTHONHASHSEED=3", trials),), ())


def day_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
