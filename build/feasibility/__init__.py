"""TODO build.feasibility."""
