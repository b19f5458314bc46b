"""From an event of the code host to a claim on it: what is asked, by whom, whether it may, and whether it is free."""
