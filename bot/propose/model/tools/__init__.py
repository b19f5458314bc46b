"""What the model may do besides talking: look, draft, run, end. `registry` is the door."""
