"""Failures for want of a network: where there is none, they say something of the place and nothing of the test."""

from __future__ import annotations

import re

# Of the resolver and of the routing table, in the words of the C library, Python, Node, Go, Java and Ruby. A refused,
# reset or timed out connection is not among them: somebody may have been there, on loopback for one.
_NO_WAY_OUT = re.compile(
    r"(?i)network is unreachable|\benetunreach\b|network unreachable|no route to host|\behostunreach\b"
    r"|temporary failure in name resolution|name or service not known|nodename nor servname|name resolution"
    r"|\beai_again\b|\benotfound\b|getaddrinfo failed|dial \w+: lookup|no such host|UnknownHostException"
    r"|no address associated with hostname"
)


def wants_network(message: str) -> bool:
    """Whether a failure's message says that there is no way out of this machine, or nobody to ask for names."""
    return _NO_WAY_OUT.search(message) is not None
