"""patch (docs/architecture.md)."""
