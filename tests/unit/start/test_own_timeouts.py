"""A TimeoutError of the script's own, as the server's `server/user_script.py` reports it, and the alarm's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.start.start_modules import module


class Timeout(Exception):
    def __init__(self, timeout_ms: float, elapsed_ms: float) -> None:
        super().__init__("Script failed to finish")
        self.timeout_ms, self.elapsed_ms = timeout_ms, elapsed_ms


class Failed(Exception):
    pass


class UserScript:
    def __init__(self, elapsed_ms: float) -> None:
        self.elapsed_ms = elapsed_ms

    def invoke_run(self, request: Any, *, timeout_ms: float) -> Any:
        try:
            if request == "works":
                return "answer"
            raise TimeoutError("the database")
        except TimeoutError:
            raise Timeout(timeout_ms, self.elapsed_ms) from None


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> type[UserScript]:
    monkeypatch.setattr(UserScript, "invoke_run", UserScript.invoke_run)  # it is restored after the test
    names = {"UserScript": UserScript, "UserScriptTimeout": Timeout, "UserScriptException": Failed}
    module("own_timeouts").install(SimpleNamespace(**names))
    return UserScript


def test_the_scripts_own_is_its_failure_and_keeps_its_reason(script: type[UserScript]) -> None:
    with pytest.raises(Failed) as failed:
        script(elapsed_ms=5).invoke_run("fails", timeout_ms=100)
    assert repr(failed.value.__cause__) == "TimeoutError('the database')"


def test_the_alarms_stays(script: type[UserScript]) -> None:
    with pytest.raises(Timeout):
        script(elapsed_ms=100).invoke_run("fails", timeout_ms=100)


def test_answers_stay(script: type[UserScript]) -> None:
    assert script(elapsed_ms=1).invoke_run("works", timeout_ms=100) == "answer"
