"""diagnose (docs/architecture.md)."""
