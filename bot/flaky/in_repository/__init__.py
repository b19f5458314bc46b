"""Files that a pull request of ours puts into a repository. Nobody imports them here."""
