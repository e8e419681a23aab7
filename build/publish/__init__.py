"""TODO build.publish."""
