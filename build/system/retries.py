"""When a failed HTTP request is sent again, and after how many seconds. Pure."""

from __future__ import annotations

import datetime
import email.utils
import math
from collections.abc import Mapping
from dataclasses import dataclass

#: Statuses of a server, or of a proxy in front of it, that may answer well a moment later.
_TEMPORARY = frozenset({500, 502, 503, 504})
_TOO_MANY_REQUESTS = 429
_FORBIDDEN = 403

#: Seconds: no server means a longer time, and not every longer one can be added to a date.
_YEAR = 365 * 86400.0

#: Methods that may be repeated, since twice is the same as once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"HEAD", "GET", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a request is sent, and how long a server may ask to wait."""

    #: Requests in all; 1 never repeats.
    attempts: int = 5
    #: Seconds before the second attempt after a failure; each further wait is twice as long.
    first_wait: float = 0.5
    #: The same after "too many requests" without a time.
    first_wait_when_limited: float = 2.0
    #: The longest single wait in seconds. A server that asks for more is not asked again in this run.
    longest_wait: float = 60.0

    def wait(self, attempt: int, *, limited: bool = False, retry_after: float | None = None) -> float | None:
        """Give the seconds to wait before the next attempt.

        Args:
            attempt: The number of the attempt that failed, from 1.
            limited: Whether the server answered that there were too many requests.
            retry_after: The seconds that it asks to wait.

        Returns:
            None where the request is not sent again.
        """
        if attempt >= self.attempts:
            return None
        first = self.first_wait_when_limited if limited and retry_after is None else self.first_wait
        own = float(min(first * 2 ** (attempt - 1), self.longest_wait))
        if retry_after is None:
            return own
        # A server that asks to wait 0 s is not asked again at once.
        return max(retry_after, own) if retry_after <= self.longest_wait else None


def is_rate_limit(status: int, headers: Mapping[str, str], content: bytes) -> bool:
    """Tell whether an answer means "too many requests".

    GitHub's container registry answers 403 with "secondary rate limit" in the text, or with ``Retry-After``
    (docs.github.com, REST API, "Rate limits").

    Args:
        status: The HTTP status.
        headers: The answer's headers, in any case.
        content: The answer's body.
    """
    if status == _TOO_MANY_REQUESTS:
        return True
    return status == _FORBIDDEN and ("retry-after" in {name.lower() for name in headers} or b"rate limit" in content)


def is_temporary(status: int) -> bool:
    """Tell whether a server that answered so may answer well a moment later."""
    return status in _TEMPORARY


def is_unsettled(status: int) -> bool:
    """Tell whether a request with such an answer may still be carried out: a proxy gives it that had no answer itself.

    500 is the server's own answer; 502 to 504 and, of some proxies, 520 to 524 are not.

    Args:
        status: The HTTP status.
    """
    return status > 500


def retry_after(text: str | None, now: datetime.datetime) -> float | None:
    """Read the header ``Retry-After``: seconds or an HTTP date (RFC 9110, 10.2.3).

    Args:
        text: The header's value; None if the header is missing.
        now: The time, UTC.

    Returns:
        Seconds from now, from 0 to a year; None where the value is neither a number nor a date (``12.5ms``).
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), _YEAR) if math.isfinite(seconds) else None
