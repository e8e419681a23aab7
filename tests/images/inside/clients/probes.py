"""Health probes, as platforms send them."""

import time

from wire import Reader, connect, head


def wait(to, seconds=5):
    """Wait until the server answers a probe; tell whether it does within some seconds."""
    end = time.monotonic() + seconds
    while probe(to, 1, pause=0.1)["failed"]:
        if time.monotonic() > end:
            return False
    return True


def probe(to, count, pause=0.01, path="/"):
    """Ask for ``GET /`` on a new connection each time, as platforms do.

    Returns:
        ``ms``: the milliseconds of each, from connecting to the answer's last byte; ``failed``: how some failed.
    """
    times, failed = [], []
    for _ in range(count):
        begin = time.monotonic()
        try:
            sock = connect(to)
            sock.settimeout(10)
            sock.sendall(head("GET", path, Connection="close", User_Agent="kube-probe/1.30"))
            answer = Reader(sock).answer()
            if answer["status"] != 200:
                failed.append(str(answer["status"]))
            sock.close()
        except (OSError, EOFError, ValueError) as error:
            failed.append(repr(error))
        times.append(round(1000 * (time.monotonic() - begin), 1))
        time.sleep(pause)
    return {"ms": times, "failed": failed}
