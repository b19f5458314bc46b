"""Records what `grokfix demo --replay` plays: the bundled project, repaired by a scripted model over real HTTP.

    python -m tests.demo_recording        # writes bot/demo/model.jsonl; after every change of prompts or tools

The replies below are written by hand as a model would give them; everything else in the recording is what happened.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bot.commands.demo import RECORDING, make_project
from tests import model_server
from tests.command_line import grokfix, text
from tests.model_server import ModelServer

TARGET = Path(__file__).parents[1] / "bot" / "demo" / RECORDING
MODEL = "scripted"

FIX = """\
--- a/parcels/bands.py
+++ b/parcels/bands.py
@@ -13,7 +13,7 @@
     if weight <= 0:
         raise ValueError(f"weight must be positive, not {weight}")
     for name, limit, _ in BANDS:
-        if weight < limit:
+        if weight <= limit:
             return name
     raise ValueError(f"{weight} kg is too heavy: the limit is {BANDS[-1][1]} kg")
 
"""
NEW_TEST = (
    "tests/test_heaviest_parcel.py",
    """\
from parcels.bands import BANDS, band_for


def test_every_limit_belongs_to_its_own_band():
    assert [band_for(limit) for _, limit, _ in BANDS] == [name for name, _, _ in BANDS]
""",
)
BETTER_TEST = (
    "tests/test_price_at_the_limit.py",
    """\
from parcels.bands import BANDS, base_price


def test_a_parcel_at_its_limit_pays_the_price_of_its_band():
    lighter = BANDS[:-1]
    assert [base_price(limit) for _, limit, _ in lighter] == [price for _, _, price in lighter]
""",
)
CAUSE = (
    "`band_for` compares with `<`, so a parcel of exactly a band's limit falls into the next band, although the module "
    "says that the limit belongs to the band. The heaviest parcel of all, 31.5 kg, is even refused."
)


def usage(prompt: int, cached: int, completion: int, reasoning: int) -> dict[str, object]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


REPLIES = [
    model_server.calls(
        [
            ("read_file", {"path": "parcels/bands.py"}),
            ("search_code", {"pattern": "band_for|BANDS", "glob": "**/*.py"}),
        ],
        ids=["call_1", "call_2"],
        reasoning="All three failing cases sit exactly on a limit: 0.5, 2.0 and 10.0 kg. Weights inside a band pass. "
        "That smells of a strict comparison. Let me read band_for and see who else depends on it.",
        usage=usage(2_900, 0, 160, 90),
    ),
    model_server.call(
        "try_patch",
        {"patch": FIX, "new_test": {"path": NEW_TEST[0], "source": NEW_TEST[1], "explanation": "limits of all bands"}},
        id="call_3",
        reasoning="The docstring is explicit: exactly 2 kg still travels as small. `weight < limit` contradicts it. "
        "With `<=` the last band's limit, 31.5 kg, is accepted too; today it raises. No test covers that one, so the "
        "new test should. cheapest_split calls quote, quote calls base_price: prices at the limits drop by one band, "
        "which is what the tests ask for.",
        usage=usage(3_900, 2_880, 420, 210),
    ),
    model_server.call(
        "run_tests",
        {"ids": []},
        id="call_4",
        reasoning="It applies and nothing objects. Now the failing tests on this draft.",
        usage=usage(4_500, 3_840, 60, 20),
    ),
    model_server.submit(
        CAUSE,
        FIX,
        NEW_TEST,
        confidence=0.97,
        risks="Parcels of exactly a limit become one band cheaper; whoever stored prices sees other ones.",
        id="call_5",
        reasoning="Green. I hand it in.",
        usage=usage(4_900, 4_480, 450, 15),
    ),
    model_server.submit(
        CAUSE,
        FIX,
        BETTER_TEST,
        confidence=0.97,
        risks="Parcels of exactly a limit become one band cheaper; whoever stored prices sees other ones.",
        id="call_6",
        reasoning="Without the fix my test dies of the ValueError for 31.5 kg before it compares anything, so it proves "
        "nothing about the comparison. The bands below the heaviest one show the fault as a wrong price: I assert those.",
        usage=usage(6_000, 5_312, 430, 80),
    ),
]


def record(folder: Path) -> Path:
    """Repair the project in `folder`, which is empty; returns the trace."""
    project, out = folder / "parcels", folder / "result"
    make_project(project)
    # The recording names folders: those of a stand-in, not of whoever records.
    (folder / "python").symlink_to(sys.prefix, target_is_directory=True)
    with ModelServer(REPLIES) as server:
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--engine", "model", "--base-url", server.base_url),
            *("--model", MODEL, "--output", out),
            cwd=project,
            seconds=250,
            environment={
                "XAI_API_KEY": "sk-no-key-at-all",
                "VIRTUAL_ENV": str(folder / "python"),
                "TMPDIR": str(folder),
            },
        )
    if done.exit_code != 0:
        raise SystemExit(text(done))
    return out / "trace.jsonl"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        trace = record(Path(folder)).read_bytes()
    for name in (os.fsencode(sys.prefix), os.fsencode(Path.cwd())):
        assert name not in trace, f"the recording names a folder of this machine: {name!r}"
    TARGET.write_bytes(trace)


if __name__ == "__main__":
    main()
