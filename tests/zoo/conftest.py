"""The zoo's projects are run by tests/e2e/test_zoo.py and benchmarks/triage.py, each in a checkout of its own."""

collect_ignore_glob = ["*"]
