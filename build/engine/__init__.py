"""TODO build.engine."""
