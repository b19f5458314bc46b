"""What the observer in a box left → Touched. All of it is the word of untrusted code: bounded, and read strictly."""

from __future__ import annotations

import json
import re

from bot.evidence.types import TestId
from bot.ports import Box
from bot.toolchains import box_files
from bot.toolchains.reading import placed
from bot.toolchains.types import Touched

_MOST_BYTES = 64 << 20
_MOST_ENTRIES = 200
_HOST = re.compile(r"host ([\w.:%-]{1,253}:\d{1,5})", re.ASCII)
_PORT = re.compile(r"port (\d{1,5})", re.ASCII)
_ROUNDS = re.compile(r"[pfs]{1,1000}")


def read_touched(box: Box) -> Touched:
    """Entries that are not what they should be are left out."""
    raw = (box.collect("touched.txt", limit=_MOST_BYTES) or b"")[: _MOST_ENTRIES * 300]
    lines = raw.decode(errors="replace").splitlines()[:_MOST_ENTRIES]
    hosts = dict.fromkeys(match[1] for line in lines if (match := _HOST.fullmatch(line)))
    ports = dict.fromkeys(int(match[1]) for line in lines if (match := _PORT.fullmatch(line)))
    started = box_files.last_started(box)
    last = placed(TestId.from_node_id(started), box_files.read_session(box)) if started else None
    bound = tuple(port for port in ports if 0 < port < 65536)
    return Touched(tuple(hosts), bound, _rounds(box), last, threads="threads" in lines)


def _rounds(box: Box) -> dict[TestId, str]:
    raw = box.collect("rounds.json", limit=_MOST_BYTES)
    try:
        told = [] if raw is None else json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    rounds = {}
    for entry in told if isinstance(told, list) else []:
        match entry:
            case [str(file), str(scope), str(name), str(word)] if _ROUNDS.fullmatch(word):
                rounds[TestId(file, scope, name)] = word
            case _:
                continue
    return rounds
