"""propose (docs/architecture.md)."""
