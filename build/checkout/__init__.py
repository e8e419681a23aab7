"""TODO build.checkout."""
