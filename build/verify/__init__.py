"""TODO build.verify."""
