"""A run again from its trace: the recorded replies in the model's place, everything else for real, and what differs."""
