"""Live progress of a build: one moving block on a terminal, a line for each finished step elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.live import Live
from rich.text import Text

from build.builder.bake import Event
from build.images.layers import COMPILER
from build.system import console


class Display:
    """Shows bake's events while it is entered.

    Args:
        total: How many images are asked for.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._images = 0
        self._began = time.monotonic()
        self._running: dict[tuple[str, str], float] = {}
        self._live: Live | None = None
        if console.err.is_terminal:
            self._live = Live(console=console.err, refresh_per_second=8, transient=True, get_renderable=self._draw)

    def __enter__(self) -> Display:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, value, trace)

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        key = (event.target, event.stage)
        if event.kind == "began":
            self._running[key] = time.monotonic()
            return
        self._running.pop(key, None)
        if event.kind == "failed":
            return  # the summary says why
        image = event.stage == "image"
        base = event.target.startswith(("base-", "builder-", "compiler-"))
        if image and not base:
            self._images += 1
        if event.kind == "done":
            took = console.seconds(event.seconds or 0.0)
            if image:
                name = event.target.replace("_", ".")
                count = "" if base else f"[{self._images}/{self._total}] "
                console.info(f"{count}{name} exported, {took}")
            elif event.stage == COMPILER:
                console.info(f"compiler installed, {took}")
            elif not base and not event.stage.startswith("stage-"):
                console.info(f"layer {event.stage} installed, {took}")

    def _draw(self) -> Text:
        text = Text(f"    {self._images}/{self._total} images, {console.seconds(time.monotonic() - self._began)}")
        for (target, stage), since in list(self._running.items())[:12]:
            what = f"exporting {target.replace('_', '.')}" if stage == "image" else f"installing {stage}"
            text.append(f"\n      {what}  {console.seconds(time.monotonic() - since)}", style="dim")
        return text
