"""TODO build.catalogue."""
