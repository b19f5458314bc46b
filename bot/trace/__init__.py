"""trace (docs/architecture.md)."""
