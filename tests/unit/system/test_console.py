"""What people see: texts of others are shown, and do nothing."""

from __future__ import annotations

import pytest

from build.errors import PipelineError
from build.system import console

EVIL = "a\x1b[31mb\x9b\nerror: c\r\x07\u202ed\ud800 [bold]e[/bold] :heart:"
SHOWN = r"a\x1b[31mb\x9b\nerror: c\r\x07\u202ed\ud800 [bold]e[/bold] :heart:"


def test_what_is_printable_stays_as_it_is() -> None:
    for text in ("", "numpy 2.5.4 → 2.5.5", "Größe 数", r"\n [x] 'y' \x1b"):
        assert console.plain(text) == text
    assert console.plain(EVIL) == SHOWN
    assert console.plain(console.plain(EVIL)) == SHOWN


def test_a_line_of_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    console.line(EVIL * 20)
    assert capsys.readouterr().out == SHOWN * 20 + "\n"


@pytest.mark.parametrize("show", [console.step, console.info, console.warn])
def test_a_message_is_one_line(show: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(show)
    show(EVIL)
    err = capsys.readouterr().err
    assert SHOWN in err
    assert err.count("\n") == 1 and err.rstrip("\n").isprintable()


def test_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    console.error(PipelineError(EVIL, where=EVIL, fix=EVIL, details="\x1b[1mone\x1b[0m\n\ttwo\x1b]0;three\x07"))
    err = capsys.readouterr().err
    assert err.splitlines() == [
        f"error: {SHOWN}",
        f"  where: {SHOWN}",
        f"  fix:   {SHOWN}",
        "  | one",  # a log has colours
        r"  |         two\x1b]0;three\x07",
    ]


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("name", "size>"), [(EVIL, "1"), ("b", EVIL)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.isprintable() for line in lines)
    assert lines[1].startswith(SHOWN) and lines[2].endswith(SHOWN)
    assert len(lines[1]) == len(lines[2]), "the widths are not those of what is shown"
