"""TODO build.system."""
