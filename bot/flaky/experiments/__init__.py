"""Controlled experiments, one module a family of causes: each provokes a failure, takes its cause away, and puts it
back. What does not come out that way proves nothing and is handed back as `Tried`."""
