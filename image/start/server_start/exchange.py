"""A request and its answer: runs the server's WSGI application, and gives the answer's bytes to the network loop."""

from __future__ import annotations

import contextvars
import io
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Iterator

from gunicorn.http import wsgi

from server_start.access_log import AccessLog
from server_start.connection import CLOSED
from server_start.http_request import Head
from server_start.plain_request import PlainRequest
from server_start.refusals import failed

if TYPE_CHECKING:
    from server_start.connection import Connection

#: The one route that runs the user's code.
SCORE = "/score"

#: The server's own message for a script that raises an exception.
SCRIPT_ENDED = b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'

#: Bytes of a streamed answer that may wait for a slow client while the script goes on with it. After them, other
#: requests come first until the client has read them.
MOST_UNSENT = 16 * 1024 * 1024

#: What follows the bytes of an answer: more of them; more, but only when the client has taken these; the next request
#: on the connection; the connection's end.
MORE = "more"
WAIT = "wait"
KEEP = "keep"
CLOSE = "close"


class Sink:
    """What gunicorn writes an answer to, in place of a socket: the network loop does the sending."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.parts.append(data)

    def send(self, data: bytes) -> int:
        """Drop "100 Continue": the network loop has sent it."""
        return len(data)

    def gettimeout(self) -> float:
        """Return a socket's timeout: it does not block."""
        return 0.0

    def take(self) -> bytes:
        """Remove what was written so far, and return it."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        return data


class Exchange:
    """A request that has arrived completely, and its answer.

    Args:
        connection: Where it came from.
        head: Its head and body.
    """

    __slots__ = (
        "answers",
        "began",
        "connection",
        "context",
        "ended",
        "environ",
        "given",
        "head",
        "parts",
        "response",
        "scores",
        "sent",
        "sink",
        "steps",
        "submit",
        "taken",
    )

    def __init__(
        self, connection: Connection, head: Head, answers: Answers, submit: Callable[[Callable[[], None]], None]
    ) -> None:
        self.answers = answers
        self.submit = submit
        self.connection = connection
        self.head = head
        self.sink = Sink()
        #: Flask keeps the request in context variables: while a streamed answer waits for its client, others are begun.
        self.context: contextvars.Context | None = None
        self.began: datetime
        #: The main thread answers it.
        self.scores = False
        self.response: Any = None
        self.environ: dict[str, Any] = {}
        #: The application's answer; it may have a close().
        self.parts: Any = None
        #: Its parts that are not yet written, if it is streamed.
        self.steps: Iterator[bytes] = iter(())
        #: A part of the answer has been given to the network loop.
        self.sent = False
        #: All of the answer has been given to the network loop.
        self.ended = False
        #: Bytes of a streamed answer that were given to the network loop (by the thread that answers).
        self.given = 0
        #: Bytes of it that the client has taken (by the network loop).
        self.taken = 0

    def next_step(self) -> None:
        """Continue a streamed answer that waited until its client had taken the bytes before (`WAIT`)."""
        self.submit(lambda: self.answers.step(self))

    def client_has_gone(self) -> None:
        """End a streamed answer. One that is not streamed is computed to its end."""
        if self.sent:
            self.submit(lambda: self.answers.abandon(self))


class Answers:
    """Answers requests. Its methods run in the main thread for /score, in the routes thread for others.

    Args:
        worker: gunicorn's worker.
        send: Gives a connection's next bytes to the network loop, with what follows them.
    """

    def __init__(self, worker: Any, send: Callable[[Connection, bytes, str], None]) -> None:
        self._worker = worker
        self._cfg = worker.cfg
        self._send = send
        self._access_log = AccessLog(worker.log, worker.cfg.access_log_format)

    def answer(self, exchange: Exchange) -> None:
        """Answer a request, or begin to, if the answer is streamed.

        Raises:
            BaseException: A signal handler ends the worker (SystemExit).
        """
        self._guarded(exchange, self._begin)

    def step(self, exchange: Exchange) -> None:
        """Continue a streamed answer with its next part."""
        self._guarded(exchange, self._next)

    def abandon(self, exchange: Exchange) -> None:
        """End a streamed answer whose client has gone."""
        if exchange.parts is not None:
            self._close(exchange)
            self._send(exchange.connection, b"", CLOSE)

    def _guarded(self, exchange: Exchange, do: Callable[[Exchange], None]) -> None:
        try:
            if exchange.context is None:
                do(exchange)
            else:
                exchange.context.run(do, exchange)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
            self._fail(exchange, error)
        except BaseException as error:
            # A SystemExit from a signal handler ends the worker; one from a script fails its request.
            self._script_ended(exchange, error)
            if not self._worker.alive:
                raise

    def _begin(self, exchange: Exchange) -> None:
        worker, request, connection = self._worker, exchange.head.request, exchange.connection
        exchange.began = datetime.now()
        self._cfg.pre_request(worker, request)
        if isinstance(request, PlainRequest):
            response, environ = request.create(exchange.sink, connection.client, connection.server)
        else:
            response, environ = wsgi.create(request, exchange.sink, connection.client, connection.server, self._cfg)
        exchange.response, exchange.environ = response, environ
        environ["wsgi.multithread"] = True
        content: io.BytesIO = exchange.head.body.content
        content.seek(0)
        environ["wsgi.input"] = content
        if exchange.scores:  # the other requests do not run the user's code
            worker.nr += 1
        if not worker.alive or worker.retires or not worker.keeps_alive(exchange):
            response.force_close()
        exchange.parts = worker.wsgi(environ, response.start_response)
        if response.response_length is None:
            exchange.steps = iter(exchange.parts)
            exchange.context = contextvars.copy_context()
            exchange.context.run(self._next, exchange)
        else:
            for part in exchange.parts:
                response.write(part)
            self._end(exchange)

    def _next(self, exchange: Exchange) -> None:
        """Continue a streamed answer to its end: scripts need not be able to compute two answers at a time."""
        connection = exchange.connection
        for part in exchange.steps:
            exchange.response.write(part)
            if not exchange.sink.parts:
                continue
            data = exchange.sink.take()
            exchange.sent = True
            exchange.given += len(data)
            slow = exchange.given - exchange.taken > MOST_UNSENT
            self._send(connection, data, WAIT if slow else MORE)
            if slow:
                return
            if connection.state == CLOSED:
                self.abandon(exchange)
                return
        self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        response = exchange.response
        response.close()
        exchange.ended = True
        closes = response.should_close() or _is_short(exchange)
        self._send(exchange.connection, exchange.sink.take(), CLOSE if closes else KEEP)
        # While the network loop wakes up:
        self._log(exchange)
        self._close(exchange)

    def _log(self, exchange: Exchange) -> None:
        took = datetime.now() - exchange.began
        self._access_log.write(exchange.response, exchange.head.request, exchange.environ, took)

    def _close(self, exchange: Exchange) -> None:
        """Tell the application and gunicorn's hook that the answer has ended, whether it is complete or not."""
        parts, exchange.parts = exchange.parts, None
        try:
            if hasattr(parts, "close"):
                parts.close()
        except Exception:
            self._worker.log.exception("Error at the end of a request")
        try:
            self._cfg.post_request(self._worker, exchange.head.request, exchange.environ, exchange.response)
        except Exception:
            self._worker.log.exception("Exception in post_request hook")

    def _fail(self, exchange: Exchange, error: Exception) -> None:
        if exchange.ended:  # the log, or the application's own end of the request, failed
            try:
                self._worker.log.exception("Error at the end of a request")
            except Exception:  # noqa: BLE001 - a logging handler of the user
                pass
            return
        exchange.sink.parts.clear()
        answer = b""
        try:
            if exchange.sent:  # a second status line would corrupt the answer
                self._worker.log.exception("Error handling request")
            else:
                self._worker.handle_error(exchange.head.request, exchange.sink, exchange.connection.client, error)
                answer = exchange.sink.take()
            self._close(exchange)
        except Exception:  # noqa: BLE001 - a logging handler of the user
            answer = b"" if exchange.sent else answer or failed()
        finally:
            self._send(exchange.connection, answer, CLOSE)

    def _script_ended(self, exchange: Exchange, error: BaseException) -> None:
        if exchange.ended:
            return
        try:
            self._answer_ended(exchange, error)
            self._close(exchange)
        finally:
            self._send(exchange.connection, exchange.sink.take(), CLOSE)

    def _answer_ended(self, exchange: Exchange, error: BaseException) -> None:
        logger = logging.getLogger("azmlinfsrv")
        logger.error("Encountered Exception: the scoring script ended with %r", error, exc_info=error)
        exchange.sink.parts.clear()
        if not exchange.sent and exchange.environ:
            response = wsgi.Response(exchange.head.request, exchange.sink, self._cfg)
            response.force_close()
            response.start_response(
                "500 INTERNAL SERVER ERROR",
                [
                    ("Content-Type", "application/json"),
                    ("Content-Length", str(len(SCRIPT_ENDED))),
                    ("x-ms-run-function-failed", "True"),
                ],
            )
            response.write(SCRIPT_ENDED)
            exchange.response = response
            self._log(exchange)


def _is_short(exchange: Exchange) -> bool:
    """Return whether an answer has fewer bytes than its Content-Length says: only the end tells the client that."""
    response = exchange.response
    if exchange.head.request.method == "HEAD" or response.status_code in (204, 304):
        return False
    return response.response_length is not None and response.sent < response.response_length
