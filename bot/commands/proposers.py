"""Who proposes repairs, chosen from settings: search, the model, one after the other, or several models at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from bot.budget import Budget
from bot.config import Settings
from bot.ports import Clock, Model, Proposer, Recorder
from bot.publish.untrusted import log, one_line
from bot.toolchains.types import Runtime, Toolchain
from bot.workspace.git import Repository

MOST_CANDIDATES = 20_000
SEARCH_SHARE = 0.3
"""Share of the minutes that search may take under engine `auto`."""


@dataclass(frozen=True, slots=True)
class Means:
    """What proposers work with. `model` None: there is none, so search is all there is.

    guidance: what the repository tells its contributors (text by path); None: as HEAD has it, which is right where
    HEAD is the caller's own. redact: takes secrets out of what is sent.
    """

    settings: Settings
    repository: Repository
    toolchain: Toolchain
    budget: Budget
    clock: Clock
    redact: Callable[[str], str]
    model: Model | None
    guidance: Mapping[str, str] | None = None


def proposers(means: Means) -> Callable[[Runtime, Recorder], Proposer]:
    """Makes the proposer of one repair, given the runtime of the boxes and that repair's recorder."""
    model = means.model
    if model is None:
        return lambda runtime, _recorder: _search(means, runtime)
    asking = cache(lambda: _asking(means, model))  # made when it is needed: a diagnosis asks nobody

    def ask(runtime: Runtime, recorder: Recorder) -> Proposer:
        return asking()(runtime, recorder)

    if means.settings.engine == "model":
        return ask
    from bot.propose.auto import AutoProposer

    return lambda runtime, recorder: AutoProposer(_search(means, runtime), ask(runtime, recorder))


def _search(means: Means, runtime: Runtime) -> Proposer:
    from bot.propose.search.engine import SearchProposer

    settings = means.settings
    share = None if means.model is None else settings.limits.minutes * 60 * SEARCH_SHARE
    jobs = max(1, round(settings.sandbox.limits.cpus))
    return SearchProposer(means.toolchain, runtime, share_seconds=share, max_candidates=MOST_CANDIDATES, jobs=jobs)


def _asking(means: Means, model: Model) -> Callable[[Runtime, Recorder], Proposer]:
    from bot.propose.candidates import Candidates, Together
    from bot.propose.model.context import Setting
    from bot.propose.model.guidance import read_guidance
    from bot.propose.model.line import Line
    from bot.propose.model.proposer import ModelProposer
    from bot.workspace.history import RepositoryHistory

    settings = means.settings
    line = Line(model, settings.model, means.budget)  # one for all repairs: what the endpoint takes is found out once
    if line.price is None and settings.asked_model() and settings.limits.cost_usd is not None:
        print(
            f"No price is known for model {log(one_line(model.name, 80))}, so limits.cost_usd "
            f"({settings.limits.cost_usd:g}) cannot be held: attempts, minutes and tokens hold. "
            "Name its price in model.prices.",
            file=sys.stderr,
        )
    guidance = read_guidance(means.repository.file) if means.guidance is None else means.guidance
    history = RepositoryHistory(means.repository)

    def one(runtime: Runtime, recorder: Recorder, lead: int = 1) -> Proposer:
        setting = Setting(settings.instructions, guidance, runtime, history, means.redact, lead)
        return ModelProposer(line, recorder, means.clock, setting, protect=settings.protect)

    def several(runtime: Runtime, recorder: Recorder) -> Proposer:
        together = Together(recorder)
        leads = range(1, settings.limits.candidates + 1)
        return Candidates([one(runtime, together, lead) for lead in leads], ThreadPoolExecutor, together)

    return several if settings.limits.candidates > 1 else one
