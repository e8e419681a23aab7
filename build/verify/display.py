"""Progress of the image tests: moving lines on a terminal, plain lines elsewhere (a file, CI)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from build.system import console
from build.system.moving_block import MovingBlock
from build.verify.events import Collected, Completed, Error, Event, Started

_INDENT = " " * 6
#: Failures of an image that are shown, on a terminal and elsewhere: if a server does not start, nearly all tests fail.
#: The summary at the end has every failure.
_SHOWN_ON_TERMINAL, _SHOWN_IN_LOG = 1, 5


@dataclass(kw_only=True)
class _Image:
    """How far the tests of one image are."""

    total: int
    began: float | None = None
    outcomes: list[str] = field(default_factory=list)
    #: The reasons of the failures that were shown.
    reasons: set[str] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        return len(self.outcomes) >= self.total

    @property
    def seconds(self) -> str:
        return console.seconds(time.monotonic() - self.began) if self.began is not None else ""

    @property
    def progress(self) -> str:
        """``  87/141  32 s``."""
        failed = self.outcomes.count("failed")
        return f"  {len(self.outcomes):3}/{self.total}  {self.seconds:>4}" + (f"  {failed} failed" if failed else "")

    @property
    def counts(self) -> str:
        """``140 passed, 1 failed``."""
        numbers = {outcome: self.outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")}
        return ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number) or "no test"


class Display(MovingBlock):
    """Shows the events of a run while it is entered.

    On a terminal, each image whose tests run has a moving line with the number of its tests that are done, and the
    first failure of each image appears at once. Elsewhere there is a line when an image starts, when it is done, and at
    once for its failures: the first five different ones. The others are counted.

    Args:
        images: The names of the images.
        screen: Where to print; by default standard error.
    """

    def __init__(self, images: Sequence[str], screen: Console | None = None) -> None:
        super().__init__(screen or console.err, self.draw)
        self._images = {image: _Image(total=0) for image in images}
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Collected(tests=tests):
                for name, count in tests.items():
                    self._images[name].total = count
            case Started(image=name):
                self._images[name].began = time.monotonic()
                if not self.moves:
                    self._print(Text(f"{name}: {self._images[name].total} tests start"))
            case Completed(image=name):
                self._show_test(event, self._images[name])
            case Error():
                self._print(Text.assemble(("ERROR", "bold red"), f" {event.where}: {event.reason}"))

    def _show_test(self, event: Completed, image: _Image) -> None:
        image.outcomes.append(event.outcome)
        limit = _SHOWN_ON_TERMINAL if self.moves else _SHOWN_IN_LOG
        if event.outcome == "failed" and event.reason not in image.reasons and len(image.reasons) < limit:
            image.reasons.add(event.reason)
            self._print(Text.assemble(f"{event.image}: ", ("FAILED", "bold red"), f" {event.test}: {event.reason}"))
        if image.is_done:
            style = "red" if "failed" in image.outcomes else "green"
            self._print(Text.assemble(f"{event.image}: ", (image.counts, style), f", {image.seconds}"))

    def _print(self, text: Text) -> None:
        self._screen.print(Text("    ").append_text(text), soft_wrap=not self._screen.is_terminal)

    def draw(self) -> Text:
        """Draw a line for all images, and one for each whose tests run."""
        running = {name: image for name, image in self._images.items() if image.began and not image.is_done}
        done = sum(image.is_done and image.total > 0 for image in self._images.values())
        elapsed = console.seconds(time.monotonic() - self._began)
        text = Text(f"    {done} of {len(self._images)} images done, {elapsed}")
        # Names are cut, and numbers never: the table at the end has the whole names.
        room = self._screen.width - len(_INDENT) - max((len(image.progress) for image in running.values()), default=0)
        width = min(max(map(len, running), default=0), room)
        for name, image in running.items():
            shown = name if len(name) <= width else f"{name[: width - 1]}…"
            style = "red" if "failed" in image.outcomes else "dim"
            text.append(f"\n{_INDENT}{shown:{width}}{image.progress}", style=style)
        return text
