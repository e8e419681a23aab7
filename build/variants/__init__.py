"""TODO build.variants."""
