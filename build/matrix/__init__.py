"""TODO build.matrix."""
