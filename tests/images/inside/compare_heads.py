"""Print, as JSON, where the server reads a request's head in another way than gunicorn; runs inside an image.

    python -c "$(cat compare_heads.py)" SEED HEADS [FOLDER OF server_start]

Heads as clients send them, and heads that are made from them by small changes, go through the server's reader, and
through gunicorn's own. Both must give the same environment and the same response, or both must refuse.
"""

import json
import random
import sys

sys.path.insert(0, sys.argv[3] if sys.argv[3:] else "/usr/local/lib/inference-server")

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from server_start.http_request import Head, HeadReader
from server_start.plain_request import PlainRequest

SEED, HEADS = int(sys.argv[1]), int(sys.argv[2])
CLIENTS = {
    "curl": "POST /score HTTP/1.1\r\nHost: 127.0.0.1:5001\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n",
    "requests": "POST /score?x=1&y=%20 HTTP/1.1\r\nHost: localhost:5001\r\nUser-Agent: python-requests/2.32.3\r\n"
    "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Length: 2\r\n"
    "Content-Type: application/json\r\n\r\n",
    "kubelet": "GET / HTTP/1.1\r\nHost: 10.1.2.3:5001\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\n"
    "Connection: close\r\n\r\n",
    "traced": "POST /score HTTP/1.1\r\nhost: models.example\r\ntraceparent: 00-0af7651916cd43dd-b7ad6b7169203331-01\r\n"
    "x-request-id: 4f2c:7\r\nx-ms-client-request-id: a b\tc\r\n"
    "authorization: Bearer a.b.c==\r\ncontent-length: 0\r\n\r\n",
    "browser": "OPTIONS /score HTTP/1.1\r\nHost: [::1]:5001\r\nOrigin: https://a.example\r\n"
    'Access-Control-Request-Method: POST\r\nCookie: a=1; b="2"\r\nDNT:1\r\nX-Empty:\r\n\r\n',
}
ODD = {
    "old": "POST /score HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
    "proxied": "POST /score HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    "expects": "PUT /score HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "absolute": "GET http://a.example/score?q HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded": "GET /sc%6fre HTTP/1.1\r\nHost: a\r\n\r\n",
    "slashes": "GET //score//x HTTP/1.1\r\nHost: a\r\n\r\n",
    "named script": "GET /x/score HTTP/1.1\r\nHost: a\r\nSCRIPT_NAME: /x\r\n\r\n",
    "two lengths": "POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
    "both lengths": "POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks": "POST /score HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "folded": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "twice": "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX-A: c\r\n\r\n",
    "underscore": "GET / HTTP/1.1\r\nHost: a\r\nX_A: b\r\nX-A: c\r\n\r\n",
    "latin": "GET / HTTP/1.1\r\nHost: a\r\nX-A: \xa0\xfc\x85\r\n\r\n",
    "long line": "GET /" + "a" * 5000 + " HTTP/1.1\r\nHost: a\r\n\r\n",
    "long field": "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + "a" * 9000 + "\r\n\r\n",
    "many": "GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"X-{number}: 1\r\n" for number in range(120)) + "\r\n",
    "by proxy": "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank first": "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no fields": "GET / HTTP/1.1\r\n\r\n",
}
#: What changes put into a head: characters and pieces with which servers had trouble.
PIECES = [chr(number) for number in range(256)] + [
    *("\r\n", "\r\n ", "\n", "\r", "\r\n\r\n", " :", ": ", ":", "//", "/../", "%2f", "%00", "#a", "?", "_", "-", "  "),
    *("chunked", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/1.1 ", "Host: b\r\n", "Content-Length: 5\r\n", "+1", "0x1"),
    *("Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Connection: close\r\n", "1" * 30, "\u0661"),
    *("Expect: 100-continue\r\n", "SCRIPT_NAME: /x\r\n", "PATH-INFO: /x\r\n", "Content_Length: 1\r\n", "get", "PRI"),
    *(
        "X-Forwarded-Ssl: on\r\n",
        "X-Forwarded-Proto: http\r\n",
        "Upgrade: h2c\r\n",
        "Connection: upgrade\r\n",
        "a" * 4090,
    ),
]
#: gunicorn's settings that change what it makes of a head; those that its version does not have are left out.
SETTINGS = (
    {},
    {"forwarded_allow_ips": "*"},
    {"forwarded_allow_ips": "*", "header_map": "dangerous", "strip_header_spaces": True},
    {"limit_request_line": 60, "limit_request_fields": 6, "limit_request_field_size": 40},
    {"limit_request_line": 0, "limit_request_fields": 200, "limit_request_field_size": 0},
    {"casefold_http_method": True, "permit_obsolete_folding": True, "permit_unconventional_http_version": True},
    {"proxy_protocol": True, "header_map": "drop"},
)
CLIENT, SERVER = ("192.0.2.7", 40000), ("192.0.2.1", 5001)


class Sink:
    def send(self, data):
        return len(data)


def changed(head, chance):
    """Make one to three small changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        start = chance.randrange(len(head) + 1)
        end = min(len(head), start + chance.choice((0, 0, 1, 1, 2, 8)))
        piece = chr(chance.randrange(32, 127)) if chance.random() < 0.5 else chance.choice(PIECES)
        if chance.random() < 0.2:
            other = chance.randrange(len(head) + 1)
            piece = head[other : other + chance.choice((1, 4, 20))]
        head = head[:start] + piece + head[end:]
    return head


def described(request, response, environ):
    own = {"wsgi.input", "wsgi.errors", "wsgi.early_hints", "gunicorn.socket", "wsgi.file_wrapper"}
    values = {name: value for name, value in environ.items() if name not in own}
    attributes = ("method", "uri", "path", "query", "fragment", "version", "headers", "trailers", "scheme")
    return {
        "environ": values,
        "names": sorted(environ.keys() - {"wsgi.input"}),  # the server adds the body
        "request": [getattr(request, name, None) for name in (*attributes, "proxy_protocol_info", "req_number")],
        "expects": getattr(request, "_expected_100_continue", None),
        "closes": request.should_close(),
        "response": sorted(vars(response)),
    }


def by_gunicorn(data, number, cfg):
    """Read a head with gunicorn's parser alone."""
    unreader = IterUnreader([data])
    request = Request(cfg, unreader, CLIENT, number)
    head = Head(request)  # what only the server refuses
    rest = unreader.read()
    response, environ = wsgi.create(request, Sink(), CLIENT, SERVER, cfg)
    return head, rest, described(request, response, environ)


def by_server(data, number, reader, cfg):
    read = reader.read(bytearray(data), 0, CLIENT, number)
    if read is None:
        raise StopIteration
    head, rest = read
    if isinstance(head.request, PlainRequest):
        response, environ = head.request.create(Sink(), CLIENT, SERVER)
    else:
        response, environ = wsgi.create(head.request, Sink(), CLIENT, SERVER, cfg)
    return head, rest, described(head.request, response, environ)


def outcome(read, *arguments):
    """Return what a reader makes of a head, and whether it was plain."""
    try:
        head, rest, description = read(*arguments)
    except Exception as error:  # noqa: BLE001 - each refusal is an exception
        name = type(error).__name__
        return ("none" if name in ("StopIteration", "NoMoreData") else name, None, None), False
    plain = isinstance(head.request, PlainRequest)
    return (description, bytes(rest), [head.body.expected, head.chunked, head.expects_continue]), plain


def differences(expected, actual):
    """Return the parts that differ, each as text."""
    if isinstance(expected[0], str) or isinstance(actual[0], str):
        return [[str(expected[0])[:100], str(actual[0])[:100]]]
    parts = [(expected[0][key], actual[0][key]) for key in expected[0]] + [(expected[1:], actual[1:])]
    return [[repr(one)[:400], repr(other)[:400]] for one, other in parts if one != other]


def configured(settings):
    """Return gunicorn's configuration with the settings that its version has."""
    cfg = Config()
    for name, value in dict({"http_parser": "python"}, **settings).items():
        if name in cfg.settings:
            cfg.set(name, value)
    return cfg


cfgs = [configured(settings) for settings in SETTINGS]
readers = [HeadReader(cfg) for cfg in cfgs]
chance = random.Random(SEED)
samples = dict(CLIENTS, **ODD)
heads = [(name, head, kind) for name, head in samples.items() for kind in range(len(cfgs))]
while len(heads) < HEADS:
    name = chance.choice(list(samples))
    heads.append((name + ", changed", changed(samples[name], chance), chance.randrange(len(cfgs))))
different, plain, answered = [], [], 0
for name, text, kind in heads:
    data = text.encode("utf-8" if any(ord(one) > 255 for one in text) else "latin-1") + b"rest"
    number = chance.choice((1, 2))
    expected, _ = outcome(by_gunicorn, data, number, cfgs[kind])
    actual, is_plain = outcome(by_server, data, number, readers[kind], cfgs[kind])
    if is_plain:
        plain.append(name)
    answered += not isinstance(expected[0], str)
    # The server waits for the end of a head before it is refused; gunicorn may refuse its beginning.
    if expected != actual and not (actual[0] == "none" and isinstance(expected[0], str)):
        different.append([name, SETTINGS[kind], text[:300], *differences(expected, actual)])
print(
    json.dumps(
        {
            "different": different[:20],
            "plain": sorted(set(plain) & samples.keys()),
            "changed and plain": sum("changed" in name for name in plain),
            "answered": answered,
            "clients": sorted(CLIENTS),
        }
    )
)
