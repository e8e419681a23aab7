"""TODO build.commands."""
