"""vet (docs/architecture.md)."""
