"""What lies around the process: the network, files and their limits, ports, the machine."""

from __future__ import annotations

import re

from bot.evidence.network import wants_network
from bot.flaky.experiments.contrast import contrast
from bot.flaky.experiments.series import Result, Series, Variant, same_failure, told
from bot.flaky.types import Cause, Failed, Tried
from bot.toolchains.types import Conditions

_NETWORK = re.compile(
    r"(?i)network is unreachable|errno 101|name resolution|name or service not known|nodename nor servname"
    r"|connection (?:refused|reset|aborted|timed out)|max retries exceeded|no route to host|getaddrinfo"
)
_NETWORK_EXCEPTIONS = frozenset(
    {
        "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "URLError",
        "HTTPError", "gaierror", "timeout", "ConnectError", "ConnectTimeout", "ReadTimeout", "RemoteDisconnected",
    }
)  # fmt: skip
_FILES = re.compile(r"(?i)too many open files|errno 24|address already in use|errno 98|file exists|no such file")
DESCRIPTORS = 64
"""Open files that a test may hold beside the runner's own: a leak meets that limit soon, ordinary work does not."""


def speaks_of_network(failed: Failed) -> bool:
    """Whether a failure is of the kind that a network brings."""
    return failed.exception in _NETWORK_EXCEPTIONS or _NETWORK.search(failed.message) is not None


def speaks_of_files(failed: Failed) -> bool:
    """Whether a failure is of the kind that files, their limits or ports bring."""
    return failed.exception.startswith("File") or _FILES.search(failed.message) is not None


def network(series: Series) -> Result:
    """Without a network it fails every time, with one it passes. Where runs have none at all, one is asked for.

    A connection that was refused here is no reproduction of a failure of another kind: that is then the reason given.
    """
    known = series.suspect.failed
    alone = series.alone()
    wanted = ", ".join(series.touched.hosts[:5])
    if not wanted and (known is None or not speaks_of_network(known)):
        return Tried(Cause.NETWORK, f"wanted no host beyond loopback in {alone.counts.runs} runs")
    if 0 < alone.counts.runs == alone.counts.failures and series.failed is not None and is_blocked(series.failed):
        if why := series.lab.unsupported(Conditions(network=True)):
            to = f" to {wanted}" if wanted else ""
            return Tried(Cause.NETWORK, f"fails here for want of a network{to} ({told(alone)}): {why}", (alone,))
        with_one = Variant("a network", Conditions(network=True))
        return contrast(series, Cause.NETWORK, (Variant("no network"),), usual=(with_one,))

    def matches(failed: Failed) -> bool:
        if known is not None and same_failure(known, failed):
            return True
        return speaks_of_network(failed) and (known is None or speaks_of_network(known))

    label = f"without a network (it wants {wanted})" if wanted else "without a network"
    variant = Variant(label, Conditions(offline=True))
    return contrast(series, Cause.NETWORK, (variant,), usual=(Variant("a network"),), matches=matches)


def is_blocked(failed: Failed) -> bool:
    """Whether it failed because there is no way out of the place where it ran."""
    return wants_network(f"{failed.exception}: {failed.message}")


def files(series: Series) -> Result:
    """A new and empty home, another order of directories, ports that somebody holds, few open files."""
    series.alone()  # tells which ports it binds
    usual = Variant("as usual")
    variants = [
        Variant("a new and empty home", Conditions(fresh_home=True)),
        Variant("directories in reversed order", Conditions(directory_order="reversed")),
        Variant("directories in sorted order", Conditions(directory_order="sorted")),
    ]
    ports = tuple(port for port in series.touched.ports if port)[:8]
    if ports:
        variants.append(Variant(f"port {', '.join(map(str, ports))} held by another", Conditions(ports=ports)))
    known = series.suspect.failed
    if known is None or speaks_of_files(known):
        variants.append(Variant(f"at most {DESCRIPTORS} open files", Conditions(open_files=DESCRIPTORS)))
    other = [Variant("directories in sorted order", Conditions(directory_order="sorted"))]
    return contrast(series, Cause.FILES, variants, usual=(usual, *other))


def platform(series: Series) -> Result:
    """Threads of numeric libraries and the number of cores: a verdict that hangs on them is the environment's."""
    variants = [
        Variant("1 thread", Conditions(threads=1)),
        Variant("8 threads", Conditions(threads=8)),
        Variant("one core", Conditions(one_core=True)),
    ]
    alone = series.alone().counts
    if 0 < alone.failures < alone.runs:
        return Tried(Cause.PLATFORM, f"failed {alone.failures} of {alone.runs} on one and the same machine")
    return contrast(series, Cause.PLATFORM, variants, usual=(Variant("as usual"),))
