"""Flaky tests: reruns, statistics, controlled experiments, history.

One way through: sources (CI runs, reruns in the sandbox, files) → `RunRecord` → tallies and tests of hypotheses →
suspects → experiments in a `Lab` → `Triage`. Everything downstream (dashboard, page, quarantine, repair) reads a
`Triage` and the records behind it; no verdict is made anywhere but in `judge`.
"""
