"""grokfix repairs failing tests and proves each repair red, then green."""

__version__ = "0.1.0"
