"""Repair of a flaky test whose cause was proven: the same loop, judged under what provokes the failure."""
