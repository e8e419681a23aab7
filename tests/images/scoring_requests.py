"""Requests to scoring scripts, and what their answers say."""

from __future__ import annotations

from typing import Any

import requests
from scoring_scripts import PATIENCE


def score(url: str, body: Any, **more: Any) -> requests.Response:
    """POST a JSON request to /score."""
    return requests.post(f"{url}/score", json=body, timeout=PATIENCE, **more)


def describe(answer: requests.Response) -> str:
    """Describe an answer, for the message of a failure."""
    return f"{answer.request.method} {answer.request.path_url[:100]} → {answer.status_code}: {answer.text[:300]}"


def message(answer: requests.Response, status: int) -> str:
    """Return the message of an error, which must be JSON."""
    assert answer.status_code == status, describe(answer)
    assert answer.headers["Content-Type"] == "application/json", f"{answer.headers['Content-Type']}: {describe(answer)}"
    body = answer.json()
    assert list(body) == ["message"], describe(answer)
    return str(body["message"])
