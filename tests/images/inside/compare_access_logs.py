"""Print, as JSON, the lines of the server's access log next to gunicorn's own; runs inside an image.

python -c "$(cat compare_access_logs.py)" [FOLDER OF server_start]
"""

import json
import logging
import sys
from datetime import timedelta

sys.path.insert(0, sys.argv[1] if sys.argv[1:] else "/usr/local/lib/inference-server")

from gunicorn.config import Config
from gunicorn.glogging import Logger
from server_start.access_log import AccessLog
from server_start.http_request import HeadReader

HEAD = (
    b"POST /score?a=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: test/1\r\nReferer: /b\r\nAuthorization: Basic dTpw\r\n"
    b"X-Tenant: north\r\nContent-Length: 0\r\n\r\n"
)
#: No %(t)s: the second may change between two lines.
FORMATS = (
    '%(h)s %(l)s %(u)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    "%(m)s %(U)s %(q)s %(H)s %(B)s %(T)s %(D)s %(L)s %(p)s %(unknown)s",
    "%({x-tenant}i)s %({x-answer}o)s %({request_method}e)s %({x-unknown}i)s",
)


class Own(Logger):
    """A user's logger, which adds an atom of its own."""

    def atoms(self, resp, req, environ, request_time):
        atoms = super().atoms(resp, req, environ, request_time)
        return dict(atoms, tenant=dict(req.headers)["X-TENANT"], variables=len(environ.items()) > 10)


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.formatter.format(record) if self.formatter else record.getMessage())


class Json(logging.Formatter):
    """A user's formatter, which takes what it wants from the arguments."""

    def format(self, record):
        return record.args["{x-tenant}i"]


def written(kind, form, formatter=None):
    cfg = Config()
    cfg.set("access_log_format", form)
    cfg.set("accesslog", "-")
    log = kind(cfg)
    lines = Lines()
    lines.setFormatter(formatter)
    # A handler that is not known gets all, so it would hide what the others get.
    Lines.__module__ = "logging"
    log.access_log.handlers = [lines]
    client, server = ("192.0.2.7", 40000), ("192.0.2.1", 5001)
    read = HeadReader(cfg).read(bytearray(HEAD), 0, client, 1)
    assert read is not None
    head = read[0]
    response, environ = head.request.create(None, client, server)
    response.start_response("200 OK", [("X-Answer", "yes"), ("Content-Length", "2")])
    response.sent = 2
    took = timedelta(seconds=1, microseconds=5)
    log.access(response, head.request, environ, took)
    AccessLog(log, form).write(response, head.request, environ, took)
    return lines.lines


print(
    json.dumps(
        [written(Logger, form) for form in FORMATS]
        + [written(Own, "%(tenant)s %(variables)s"), written(Own, "%(s)s"), written(Logger, "%(s)s", Json())]
    )
)
