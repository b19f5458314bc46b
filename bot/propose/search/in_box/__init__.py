"""The search's worker inside the box, shipped as the package `grokfix_search`: stdlib and the box's own test runner
only, Python 3.8 and later.

`launch.py` (search.py in the box) reads one job beside the package and writes JSON lines. Whatever it says is a claim
by untrusted code: a filter for candidates, never a proof.
"""
