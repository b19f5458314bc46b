"""adapters (docs/architecture.md)."""
