"""SET-UP: what a repository needs to have grokfix on GitHub, and whether it has it."""
