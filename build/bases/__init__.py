"""TODO build.bases."""
