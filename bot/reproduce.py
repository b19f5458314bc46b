"""Check out, set up and run the base: what `explain` shows and `repair` starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bot.budget import Budget
from bot.config import Settings, SuiteSettings
from bot.diagnose.excerpts import excerpt
from bot.diagnose.rank import localize
from bot.diagnose.types import Evidence, Location, Spectrum
from bot.evidence.failures import cluster as cluster_failures
from bot.evidence.test_paths import is_test_path
from bot.evidence.text import head_tail
from bot.evidence.types import Cluster, Outcome, TestCase
from bot.ports import Clock, EventKind, Proposer, Recorder, Sandbox
from bot.toolchains.types import LineHits, Runtime, Toolchain
from bot.verify.base import Base, Unusable, measure
from bot.verify.bench import SandboxBench
from bot.workspace.checkout import Checkout
from bot.workspace.git import Repository
from bot.workspace.types import ChangedRange

EXCERPT_TOKENS = 12_000
OUTPUT = 20_000
NEIGHBOURS = 200
"""Passing tests beside the failing ones that a separate coverage run takes on interpreters without sys.monitoring."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked to do.

    wanted: failing cases of a report (None: whatever fails in the base run). selectors: tests named by a person.
    good: a revision at which all was green, "" where unknown. trusted, domain: whose commit it is (ports.SetUp).
    revision: the commit that is looked at; `include_work_tree` goes with HEAD only. network: see ports.SetUp.
    """

    suite: SuiteSettings
    wanted: tuple[TestCase, ...] | None = None
    selectors: tuple[str, ...] = ()
    good: str = ""
    hint: str = ""
    include_work_tree: bool = False
    trusted: bool = False
    domain: str = "local"
    revision: str = "HEAD"
    network: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """Who does it. `proposer` makes one for a repair, given the runtime of the boxes and that repair's recorder."""

    repository: Repository
    sandbox: Sandbox
    toolchain: Toolchain
    recorder: Recorder
    clock: Clock
    budget: Budget
    proposer: Callable[[Runtime, Recorder], Proposer]


@dataclass(slots=True)
class Stages:
    """Seconds by stage, in the order of the run."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        began = self.clock.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock.monotonic() - began


@dataclass(frozen=True, slots=True)
class Reproduced:
    """An environment with its base run: what `explain` shows and `repair` starts from."""

    bench: SandboxBench
    checkout: Checkout
    base: Base
    clusters: tuple[Cluster, ...]
    spectrum: Spectrum | None
    changed: tuple[ChangedRange, ...]
    recent_diff: str

    def locate(self, cluster: Cluster) -> tuple[Location, ...]:
        """Ranked locations of one cluster."""
        return localize(cluster, self.spectrum, self.changed, self.checkout.path, is_test_path)

    def evidence(self, cluster: Cluster, hint: str) -> Evidence:
        """What a proposer is told of one cluster."""
        locations = self.locate(cluster)
        return Evidence(
            cluster=cluster,
            base=self.base.report,
            output=head_tail(self.base.output, OUTPUT),
            locations=locations,
            excerpts=excerpt(locations, self.checkout.path, EXCERPT_TOKENS, cluster),
            changed=self.changed,
            recent_diff=self.recent_diff,
            hint=hint,
            spectrum=self.spectrum,
        )

    def is_project(self, path: str) -> bool:
        return self.checkout.read(path) is not None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An environment in which nothing has run yet. changed, recent_diff: since `Job.good`, empty where it has none."""

    bench: SandboxBench
    checkout: Checkout
    runtime: Runtime
    changed: tuple[ChangedRange, ...]
    recent_diff: str


@contextmanager
def prepare(job: Job, settings: Settings, tools: Tools, stages: Stages) -> Iterator[Prepared]:
    """Check out and set up: the environment lives as long as the context."""
    with stages.measure("checkout"):
        checkout = tools.repository.checkout(job.revision, include_work_tree=job.include_work_tree)
        changed, recent_diff = tools.repository.changed_since(job.good, checkout) if job.good else ((), "")
    with stages.measure("set-up"):
        plan = tools.toolchain.plan(checkout.path, job.suite, isolated=tools.sandbox.isolated)
        plan = replace(plan, trusted=job.trusted, domain=job.domain, network=job.network)
        environment = tools.sandbox.set_up(plan, checkout.path, settings.sandbox.limits)
    with environment:
        with stages.measure("set-up"), environment.open() as box:
            environment.prepare()
            runtime = tools.toolchain.probe(box)
        bench = SandboxBench(
            environment=environment,
            toolchain=tools.toolchain,
            runtime=runtime,
            checkout=checkout,
            suite=job.suite,
            recorder=tools.recorder,
            clock=tools.clock,
            seconds_left=tools.budget.seconds_left,
        )
        yield Prepared(bench, checkout, runtime, changed, recent_diff)


@contextmanager
def reproduce(job: Job, settings: Settings, tools: Tools, stages: Stages) -> Iterator[Reproduced | Unusable]:
    """Check out, set up, run the base: the environment lives as long as the context."""
    with prepare(job, settings, tools, stages) as ready:
        bench, checkout, runtime = ready.bench, ready.checkout, ready.runtime

        def is_project(path: str) -> bool:
            return checkout.read(path) is not None

        with stages.measure("reproduce"):
            inside = runtime.python >= (3, 12) and runtime.runner == "pytest"
            base = measure(bench, job.wanted, job.selectors, is_project, spectrum=inside)
        if isinstance(base, Unusable):
            yield base
            return
        clusters = cluster_failures(base.failures)
        _record_base(tools.recorder, base, clusters)
        with stages.measure("localize"):
            hits = base.hits if inside else _separate_hits(bench, base)
            failing = frozenset(case.id for case in base.report.failures())
            spectrum = Spectrum(hits.lines, failing) if hits is not None and hits.lines else None
        yield Reproduced(bench, checkout, base, clusters, spectrum, ready.changed, ready.recent_diff)


def _separate_hits(bench: SandboxBench, base: Base) -> LineHits | None:
    """Executed lines of the failing tests and their neighbours, in a run of its own: tracing slows a test down."""
    failing = {case.id for case in base.report.failures()}
    files = {test.file for test in failing}
    near = sorted(
        (case for case in base.report if case.outcome is Outcome.PASSED),
        key=lambda case: (case.id.file not in files, case.seconds),
    )
    ids = tuple(sorted(failing)) + tuple(case.id for case in near[:NEIGHBOURS])
    return bench.run_with_hits(ids, purpose="coverage of failing and neighbouring tests", spectrum=True)[1]


def _record_base(recorder: Recorder, base: Base, clusters: tuple[Cluster, ...]) -> None:
    recorder.record(
        EventKind.BASE,
        run_id=base.run_ids[0],
        tests=len(base.report),
        failed=len(base.report.failures()),
        seconds=round(base.seconds, 3),
        flaky=[test.node_id for test, _, _ in base.flaky],
        not_reproduced=[test.node_id for test, _ in base.absent],
    )
    recorder.record(
        EventKind.EVIDENCE,
        clusters=[
            {
                "fingerprint": each.fingerprint,
                "targets": [test.node_id for test in each.ids],
                "exception": each.failures[0].exception,
                "message": each.failures[0].message,
            }
            for each in clusters
        ],
    )
