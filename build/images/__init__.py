"""TODO build.images."""
