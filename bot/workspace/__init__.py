"""workspace (docs/architecture.md)."""
