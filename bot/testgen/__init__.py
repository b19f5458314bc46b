"""TESTGEN: tests for the functions that a change adds or alters and that no test reaches, each seen to fail."""
