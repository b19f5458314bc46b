"""verify (docs/architecture.md)."""
