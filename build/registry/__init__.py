"""TODO build.registry."""
