"""evidence (docs/architecture.md)."""
