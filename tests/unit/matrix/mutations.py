"""Random edits of a matrix, the same for the same seed, and a process that reads each of them within limits.

``python -m tests.unit.matrix.mutations FILE FIRST COUNT`` reads the mutations of these seeds, and prints a JSON object
for each: what ``build.cli`` would print of it.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from build.errors import PipelineError
from build.matrix.reader import load
from build.variants.expand import expand

#: Seconds of processor time for one mutation.
SECONDS = 5
#: Bytes of memory for one mutation, in addition to those of the process before the first.
MEMORY = 300_000_000

#: Values that YAML, the models, or packaging read in a way of their own.
_VALUES = (
    *("", "~", "null", "yes", "1.10", "010", "0x1F", "1:30:00", ".inf", ".nan", "-", "1e999", "9" * 5000),
    *("2026-02-31", "0000-01-01", "2026-11-19T25:00:00Z", "9999-12-31", "'2026-13-01'"),
    *("!!timestamp x", "!!bool maybe", "!!int ''", "!!float x", "!!binary x", "!!set {a, b}", "!!omap [a: 1]"),
    *("!!python/object/apply:os.system [ls]", "!unknown x", "!!str", "!!null x", "&a x", "*a", "&a [*a]", "<<"),
    *("[]", "{}", "[[[[[[]]]]]]", "{a: {b: {c: d}}}", "[1, 2", "{a: b", "'x", '"\\ud800"', '"\\x00"', "|", ">", "|2-"),
    *("a: b: c", "@x", "`x", "%x", "# x", "? x", "x # y", "*", "[*]", "é", "😀", "\u202e", "../../etc", "$(x)", "a\tb"),
    *("numpy", "numpy==", "numpy~=1.1.x", "numpy>=1,<0", "numpy @ file:///x", "numpy; python_version", "nump\u0443==1"),
    *("debian12-py311", "cuda13.0.3", "cpu", "n/a", "latest", "1.9", "'3.11'", "'3." + "9" * 400 + "'", "x" * 100_000),
)
_KEYS = (
    "<<",
    "!!bool maybe",
    "!!timestamp x",
    "1.10",
    "null",
    "? [a, b]",
    "? {a: b}",
    "x" * 1000,
    "",
    "é",
    '"\\ud800"',
)
_CHARACTERS = ":-#&*!|>'\"%@`{}[],?\t \n\0\x07\u2028\ufeff\U0001f600é"


def _line(text: str, chance: random.Random, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    index = chance.randrange(len(lines))
    lines[index] = change(lines[index])
    return "\n".join(lines)


def _value(text: str, chance: random.Random) -> str:
    """Replace the value of a key, or an item of a list."""

    def change(line: str) -> str:
        head, mark, _ = line.partition(chance.choice((": ", "- ")))
        return f"{head}{mark}{chance.choice(_VALUES)}" if mark else line

    return _line(text, chance, change)


def _key(text: str, chance: random.Random) -> str:
    def change(line: str) -> str:
        indent = line[: len(line) - len(line.lstrip())]
        return f"{indent}{chance.choice(_KEYS)}:{line.partition(':')[2]}" if ":" in line else line

    return _line(text, chance, change)


def _tag(text: str, chance: random.Random) -> str:
    tags = ("!!seq", "!!map", "!!str", "!!int", "!!bool", "!!timestamp", "!!set", "!x", "&a", "&a &b", "*a")
    return _line(text, chance, lambda line: line.replace(":", f": {chance.choice(tags)}", 1))


def _indent(text: str, chance: random.Random) -> str:
    return _line(
        text, chance, lambda line: chance.choice((" " + line, line[1:], "  " + line, line.lstrip(), "\t" + line))
    )


def _delete(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    del lines[start : start + chance.choice((1, 1, 3, 20))]
    return "\n".join(lines)


def _swap(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def _repeat(text: str, chance: random.Random) -> str:
    """Repeat some lines, up to 100,000 lines in all."""
    lines = text.split("\n")
    start, length = chance.randrange(len(lines)), chance.choice((1, 2, 5, 30))
    count = chance.choice((2, 100, 1000, 100_000 // length))
    return "\n".join(lines[:start] + lines[start : start + length] * count + lines[start + length :])


def _numbered(text: str, chance: random.Random) -> str:
    """Add many different keys or items at the place of a line."""
    lines = text.split("\n")
    index = chance.randrange(len(lines))
    indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
    form = chance.choice(("k{}: 1", "- k{}", "- {{k{}: 1}}", "k{}: {{title: x}}", "cuda{}.0: {{version: '{}.0'}}"))
    count = chance.choice((10, 1000, 100_000))
    return "\n".join(lines[:index] + [indent + form.format(number, number) for number in range(count)] + lines[index:])


def _bomb(text: str, chance: random.Random) -> str:
    """Add aliases of aliases, as items or merged."""
    open_, close = chance.choice((("[", "]"), ("{<<: [", "]}")))
    levels = chance.choice((2, 9, 50))
    first = "&b0 {x: 1}"
    rest = [f"b{n}: &b{n} {open_}{', '.join([f'*b{n - 1}'] * 9)}{close}" for n in range(1, levels)]
    return "\n".join([f"b0: {first}", *rest, text])


def _nest(text: str, chance: random.Random) -> str:
    depth = chance.choice((50, 300, 5000, 50_000))
    opening, closing = chance.choice((("[", "]"), ("{a: ", "}"), ("[", "")))
    return _line(text, chance, lambda line: line.partition(":")[0] + ": " + opening * depth + closing * depth)


def _cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _character(text: str, chance: random.Random) -> str:
    index = chance.randrange(len(text) + 1)
    return text[:index] + chance.choice(_CHARACTERS) + text[index + chance.randrange(2) :]


_EDITS: tuple[Callable[[str, random.Random], str], ...] = (
    *(_value, _value, _value, _value, _key, _tag, _indent, _delete, _swap, _repeat, _numbered, _bomb, _nest, _cut),
    *(_character, _character),
)


def mutation(text: str, seed: int) -> str:
    """Return the text of a matrix after one to three random edits.

    Args:
        text: A valid matrix.
        seed: The same seed gives the same edits.
    """
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text = chance.choice(_EDITS)(text, chance) if text else text
    return text


class _TooSlowError(Exception):
    pass


def _too_slow(_signal: int, _frame: object) -> None:
    raise _TooSlowError(f"more than {SECONDS} s")


def _read(file: Path) -> dict[str, object]:
    """Read a file as every command does, and return the exit code and the message."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        expand(load(file))
        result: dict[str, object] = {"code": 0, "text": ""}
    except PipelineError as failure:
        text = "\n".join(filter(None, (failure.what, failure.where, failure.fix, failure.details)))
        text.encode()
        result = {"code": failure.exit_code, "text": text}
    except (Exception, MemoryError) as failure:  # noqa: BLE001 - it is what the test looks for
        result = {"code": 3, "text": f"{type(failure).__name__}: {failure}"[:500]}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return {**result, "seconds": time.process_time() - began}


def main(matrix: str, first: str, count: str) -> None:
    """Read mutations, and print what happened to each."""
    text = Path(matrix).read_text(encoding="utf-8")
    signal.signal(signal.SIGVTALRM, _too_slow)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "matrix.yaml"
        for seed in range(int(first), int(first) + int(count)):
            file.write_bytes(mutation(text, seed).encode())
            print(json.dumps({"seed": seed, **_read(file)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
