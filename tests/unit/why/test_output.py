"""The changes as a person reads them."""

from __future__ import annotations

import pytest

from build.why.compare import Change
from build.why.output import Explained, difference, print_changes


def test_changes_are_printed_in_groups_with_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    print_changes(
        [
            Explained(change=Change(field=("packages", "numpy"), old="2.5.4", new="2.5.5"), place="locks/x.txt:14"),
            Explained(change=Change(field=("layers", "numpy-2.5.4"), old="1" * 64, new=None), place="layers/a.txt"),
            Explained(
                change=Change(field=("base", "start", "main.py"), old="2" * 64, new="3" * 64),
                place="image/start/main.py",
                lines=("@@ -1 +1 @@", "-old", "+new [x]"),
            ),
            Explained(change=Change(field=("base", "bootstrap", "-a"), old=None, new="yes"), place="matrix.yaml:3"),
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "Python packages:",
        "  numpy 2.5.4 → 2.5.5  locks/x.txt:14",
        "layers:",
        "  numpy-2.5.4 (gone)   layers/a.txt",
        "base, start files:",
        "  main.py changed      image/start/main.py",
        "    | @@ -1 +1 @@",
        "    | -old",
        "    | +new [x]",
        "base, arguments of mmdebstrap:",
        "  -a (new)             matrix.yaml:3",
    ]


def test_a_long_difference_is_cut() -> None:
    lines = difference("", "\n".join(map(str, range(100))))
    assert len(lines) == 31
    assert lines[-1] == "… 71 more lines"
    assert difference("same\n", "same\n") == ()
