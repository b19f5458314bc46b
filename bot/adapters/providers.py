"""Several endpoints behind one port: the next is asked where one is down, broke, or will not have us."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from bot.errors import ModelError, ModelFault
from bot.ports import Clock, Model, ModelReply, ModelRequest, OnPart, ReplyPart, Usage

FAILURES = 2
"""In a row, each after its own budgeted retries: from then on an endpoint is left alone for a while."""

OPEN_SECONDS = 60.0

_SHARE = 2 / 3
"""Of the time that is left, for an endpoint after which another can be asked: one that hangs must not take it all."""

_FOR_GOOD = frozenset(  # what no waiting mends within a run
    {ModelFault.CREDIT, ModelFault.AUTHENTICATION, ModelFault.NOT_FOUND}
)
_NEXT = _FOR_GOOD | {ModelFault.RATE_LIMIT, ModelFault.UNAVAILABLE}
_NEXT_IF_THERE = _NEXT | {ModelFault.DEADLINE, ModelFault.MALFORMED}  # at the last one the caller knows better
_ALIVE = frozenset({ModelFault.CONTEXT_TOO_LONG, ModelFault.TOOLS_REFUSED, ModelFault.OTHER})  # a refusal is an answer
_WORDS = 300  # characters of each endpoint's fault when all have failed


@dataclass(slots=True)
class _Circuit:
    """Of one endpoint. Closed: `open_until` is past and `failures` are few; half open: past, and one more closes it
    or opens it again. `open_until` is in seconds of the clock's monotonic time."""

    model: Model
    failures: int = 0
    open_until: float = -math.inf
    fault: str = ""


class Failover:
    """Implements bot.ports.Model over `models`, asked in their order; `name` is the first one's.

    Another endpoint is asked after faults of the endpoint: RATE_LIMIT, UNAVAILABLE (each after the adapter's own
    retries, a retry-after within the deadline included), CREDIT, AUTHENTICATION and NOT_FOUND; after a reply that is
    MALFORMED; and where it did not end within its share of the time. What lies in the request (CONTEXT_TOO_LONG,
    TOOLS_REFUSED), and the last endpoint's reply and time, pass through. All tries are charged together.

    An endpoint that failed `failures` times in a row is not asked for `open_seconds`, then by one request alone; one
    without credit, with a bad key or without the model is not asked again. Threads may share it.
    """

    def __init__(
        self, models: Sequence[Model], clock: Clock, *, failures: int = FAILURES, open_seconds: float = OPEN_SECONDS
    ) -> None:
        if not models:
            raise ValueError("a failover needs at least one model")
        self.name = models[0].name
        self._clock = clock
        self._failures = failures
        self._open_seconds = open_seconds
        self._circuits = tuple(map(_Circuit, models))
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        """`request.seconds` bounds all endpoints together. Raises ModelError where none answered, telling of each."""
        deadline = self._clock.monotonic() + request.seconds
        spent = Usage()
        failed: list[ModelError] = []
        stream = _Stream(on_part)
        while True:
            for number, circuit in enumerate(self._circuits):
                left = deadline - self._clock.monotonic()
                paid = spent.requests if spent.prompt_tokens else 0
                if left <= 0 or (failed and paid >= request.paid_tries) or not self._admits(circuit):
                    continue
                shared = self._another_after(number)
                stream.begin()
                try:
                    part = replace(
                        request, seconds=left * _SHARE if shared else left, paid_tries=request.paid_tries - paid
                    )
                    reply = circuit.model.complete(part, stream.take)
                except ModelError as error:
                    spent += error.usage or Usage(requests=1)
                    if not self._failed(circuit, error, _NEXT_IF_THERE if shared else _NEXT):
                        raise ModelError(str(error), usage=spent, fault=error.fault) from error
                    failed.append(error)
                else:
                    self._succeeded(circuit)
                    return replace(reply, usage=spent + reply.usage)
            if failed or not self._waited(deadline):
                raise self._all_failed(spent, failed) from (failed[-1] if failed else None)

    def _admits(self, circuit: _Circuit) -> bool:
        """Whether it may be asked now. A half-open one admits a single request: the next is another period away."""
        with self._lock:
            now = self._clock.monotonic()
            if now < circuit.open_until:
                return False
            if circuit.failures >= self._failures:
                circuit.open_until = now + self._open_seconds
            return True

    def _another_after(self, number: int) -> bool:
        with self._lock:
            now = self._clock.monotonic()
            return any(circuit.open_until <= now for circuit in self._circuits[number + 1 :])

    def _succeeded(self, circuit: _Circuit) -> None:
        with self._lock:
            circuit.failures, circuit.open_until = 0, -math.inf

    def _failed(self, circuit: _Circuit, error: ModelError, kinds: Set[ModelFault]) -> bool:
        """Whether another endpoint may do better: the fault is of these kinds."""
        if error.fault not in kinds:
            if error.fault in _ALIVE:
                self._succeeded(circuit)
            return False
        with self._lock:
            circuit.failures += 1
            circuit.fault = str(error)
            if error.fault in _FOR_GOOD:
                circuit.failures, circuit.open_until = self._failures, math.inf
            elif circuit.failures >= self._failures:
                circuit.open_until = self._clock.monotonic() + self._open_seconds
        return True

    def _waited(self, deadline: float) -> bool:
        """Every circuit is open: wait for the first to admit a request, where that is within the deadline."""
        with self._lock:
            opens = min(circuit.open_until for circuit in self._circuits)
        now = self._clock.monotonic()
        if max(now, opens) >= deadline:
            return False
        self._clock.sleep(max(0.0, opens - now))
        return True

    def _all_failed(self, spent: Usage, failed: Sequence[ModelError]) -> ModelError:
        told = "; ".join(
            f"{number}. {circuit.fault[:_WORDS] or 'not asked: time or budget were over'}"
            for number, circuit in enumerate(self._circuits, 1)
        )
        kind = failed[-1].fault if failed else ModelFault.UNAVAILABLE
        if any(error.fault is ModelFault.MALFORMED for error in failed):
            kind = ModelFault.MALFORMED  # one of them answers: asked once more, it may answer better
        return ModelError(f"no provider of a model answered: {told}", usage=spent, fault=kind)


class _Stream:
    """Passes parts on, and says RESTART before those of another endpoint where the last one's became void."""

    def __init__(self, on_part: OnPart | None) -> None:
        self._on_part = on_part
        self._void = False

    def begin(self) -> None:
        if self._void and self._on_part is not None:
            self._void = False
            self._on_part(ReplyPart.RESTART, "")

    def take(self, part: ReplyPart, text: str) -> None:
        self._void = part is not ReplyPart.RESTART
        if self._on_part is not None:
            self._on_part(part, text)
