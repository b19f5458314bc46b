"""publish (docs/architecture.md)."""
