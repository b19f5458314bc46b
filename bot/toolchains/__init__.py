"""toolchains (docs/architecture.md)."""
