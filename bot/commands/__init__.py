"""One module a command, each with `execute(options) -> exit status`; `compose` chooses the adapters for them."""
