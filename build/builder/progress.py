"""Show the progress of a build: one moving block on a terminal, a line for each finished part elsewhere."""

from __future__ import annotations

import time

from rich.text import Text

from build.builder.events import Event
from build.system import console
from build.system.moving_block import MovingBlock

#: Running parts that the block shows.
_SHOWN = 12


class Display(MovingBlock):
    """Shows the events of a build while it is entered.

    Args:
        total: The number of images of the build.
    """

    def __init__(self, total: int) -> None:
        super().__init__(console.err, self._draw)
        self._total = total
        self._images = 0
        self._began = time.monotonic()
        self._running: dict[tuple[str, str], tuple[Event, float]] = {}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        key = (event.target, event.name)
        if event.kind == "began":
            self._running[key] = (event, time.monotonic())
            return
        self._running.pop(key, None)
        if event.kind == "failed":
            return  # the summary explains it
        if event.part == "image":
            self._images += 1
        if event.kind == "done":
            self._print_finished(event)

    def _print_finished(self, event: Event) -> None:
        duration = console.seconds(event.seconds or 0.0)
        match event.part:
            case "image":
                console.info(f"[{self._images}/{self._total}] {event.name} exported, {duration}")
            case "base image":
                console.info(f"{event.name} exported, {duration}")
            case "compiler":
                console.info(f"compiler installed, {duration}")
            case "layer":
                console.info(f"layer {event.name} installed, {duration}")
            case "setup":
                pass

    def _draw(self) -> Text:
        text = Text(f"    {self._images}/{self._total} images, {console.seconds(time.monotonic() - self._began)}")
        for event, since in list(self._running.values())[:_SHOWN]:
            verb = "exporting" if event.part in ("image", "base image") else "installing"
            duration = console.seconds(time.monotonic() - since)
            text.append(f"\n      {verb} {event.name}  {duration}", style="dim")
        return text
