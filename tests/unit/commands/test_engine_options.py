"""`nox -s engine` with options that contradict each other stops nothing."""

from __future__ import annotations

import pytest

from build.cli import main
from build.commands import engine


@pytest.mark.parametrize(
    "options",
    [
        ["--status", "--stop"],
        ["--stop", "--status"],
        ["--purge"],
        ["--status", "--purge"],
        ["--collect-garbage", "--stop"],
    ],
)
def test_contradicting_options_are_wrong_usage(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_allowed(*arguments: object) -> None:
        raise AssertionError("the engine was touched")

    for name in ("status", "stop", "ensure", "collect_garbage"):
        monkeypatch.setattr(engine, name, not_allowed)
    assert main(["engine", *options]) == 2
    assert "fix:" in capsys.readouterr().err


def test_a_purge_goes_with_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    purged: list[bool] = []
    monkeypatch.setattr(engine, "stop", purged.append)
    assert main(["engine", "--stop", "--purge"]) == 0
    assert purged == [True]
