"""What `grokfix explain` prints."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.diagnose.types import Evidence, Excerpt, Location
from bot.evidence.types import Cluster, Failure, Outcome, TestCase, TestId, TestReport
from bot.publish.explain import Explanation, render_json, render_text
from bot.workspace.types import ChangedRange

TEST = TestId("tests/test_cart.py", "tests.test_cart", "test_total[a]")
CASE = TestCase(TEST, Outcome.FAILED, message="assert 1 == 2")
CLUSTER = Cluster("ab" * 32, (Failure(CASE, "AssertionError", "assert 1 == 2", (), "ab" * 32),))
EVIDENCE = Evidence(
    cluster=CLUSTER,
    base=TestReport((CASE,)),
    output="",
    locations=(Location("cart.py", 12, "total", 0.873, "run by 1 of 1 failing and 0 of 9 passing tests"),),
    excerpts=(Excerpt("cart.py", 11, "def total(prices):\n    return sum(prices) - 1", "total", (12,)),),
    changed=(ChangedRange("cart.py", 12, 12),),
    recent_diff="--- a/cart.py\n+++ b/cart.py\n@@ -12 +12 @@\n-    return sum(prices)\n+    return sum(prices) - 1\n",
)

TEXT = """\
10 tests, 1 failing, 1 cause.
Ran in process: no sandbox

Cause: AssertionError: assert 1 == 2
────────────────────────────────────
Failing:
  tests/test_cart.py::test_total[a]

Most suspicious:
   1.  87%  cart.py:12 in total
            run by 1 of 1 failing and 0 of 9 passing tests

cart.py total
  11 │ def total(prices):
> 12 │     return sum(prices) - 1

Changed since the last good revision:
  cart.py:12
    --- a/cart.py
    +++ b/cart.py
    @@ -12 +12 @@
    -    return sum(prices)
    +    return sum(prices) - 1

Fails only sometimes, so it is not looked into:
  tests/test_cart.py::test_total[a]  failed in 1 of 3 runs

Not reproduced:
  tests/test_cart.py::test_total[a]  it is passed here
"""


def test_text() -> None:
    explanation = Explanation(
        10, (EVIDENCE,), flaky=((TEST, 1, 3),), absent=((TEST, "it is passed here"),), sandbox="process: no sandbox"
    )
    assert render_text(explanation) == TEXT


def test_json_is_whole() -> None:
    told = json.loads(render_json(Explanation(10, (EVIDENCE,), flaky=((TEST, 1, 3),))))
    assert (told["tests"], told["problem"], told["flaky"][0]["runs"]) == (10, None, 3)
    assert told["causes"][0]["locations"][0]["line"] == 12
    assert told["causes"][0]["excerpts"][0]["suspicious"] == [12]


def test_nothing_failing() -> None:
    assert render_text(Explanation(1, ())) == "1 test, and no failure that repeats.\n"


def test_a_suite_that_cannot_run_shows_its_tail() -> None:
    text = render_text(Explanation(0, (), problem="no tests were found", output="line\n" * 100 + "the end\n"))
    assert text.startswith("The tests could not be run: no tests were found\n")
    assert text.endswith("  the end\n")
    assert len(text.splitlines()) < 40


def test_hostile_text_is_inert() -> None:
    hostile = "\x1b[31m::error::owned\r\n##[group]\u202e\x9b1m"
    test = TestId("t.py", "t", f"test[{hostile}]")
    failure = Failure(TestCase(test, Outcome.FAILED), "X" + hostile, hostile, (), "0" * 64)
    evidence = replace(
        EVIDENCE,
        cluster=Cluster("0" * 64, (failure,)),
        locations=(Location(hostile, 1, hostile, 0.5, hostile),),
        excerpts=(Excerpt(hostile, 1, f"::warning::x\n{hostile}", hostile, (1,)),),
        recent_diff=f"::stop-commands::x\n{hostile}",
    )
    text = render_text(Explanation(1, (evidence,), problem="", sandbox=hostile))
    text += render_text(Explanation(0, (), problem=hostile, output=f"::set-output name=a::b\n{hostile}"))
    assert not any(character in text for character in "\x1b\r\x9b\u202e")
    assert "##[" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert render_json(Explanation(1, (evidence,))).isascii()


def test_long_lists_and_functions_are_cut_and_said() -> None:
    failures = CLUSTER.failures * 30
    long = Excerpt("cart.py", 1, "\n".join(f"line {number}" for number in range(1, 501)), "f", (300,))
    evidence = replace(EVIDENCE, cluster=Cluster("0" * 64, failures), excerpts=(long,))
    text = render_text(Explanation(30, (evidence,)))
    assert "… and 20 more" in text
    assert "> 300 │ line 300" in text
    assert "│ … 440 lines left out" in text
