"""``python -m build``."""

import signal
import sys


def _terminated(number: int, frame: object) -> None:
    """A polite kill is Ctrl-C: what runs below (buildx, containers) is stopped, not orphaned."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        from build.cli import main  # here, so that Ctrl-C while modules load ends in words too

        code = main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
