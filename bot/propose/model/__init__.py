"""model (docs/architecture.md)."""
