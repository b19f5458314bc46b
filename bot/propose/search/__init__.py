"""search (docs/architecture.md)."""
