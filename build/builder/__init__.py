"""TODO build.builder."""
