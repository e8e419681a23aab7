"""TODO build.packages."""
