"""``python -m build``."""

import signal
import sys


def _terminated(number: int, frame: object) -> None:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that child processes and containers are stopped too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    # A terminal that closes: programs in sessions of their own would go on.  Under nohup the signal stays ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _terminated)
    try:
        from build.cli import main  # not at the top: Ctrl-C while modules are loaded is handled too

        code = main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
