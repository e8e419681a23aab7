"""TODO build.locks."""
