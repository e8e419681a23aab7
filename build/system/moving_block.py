"""A block of lines at the end of a terminal that is drawn again and again; nothing where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text


class MovingBlock:
    """Draws while it is entered, if the console is a terminal, and leaves nothing behind.

    Args:
        screen: The console.
        draw: Returns the block as it is now; called several times a second.
    """

    def __init__(self, screen: Console, draw: Callable[[], Text]) -> None:
        self._screen = screen
        self._draw_block = draw
        self._live: Live | None = None

    @property
    def moves(self) -> bool:
        """Tell whether there is a terminal to draw on."""
        return self._screen.is_terminal

    def __enter__(self) -> Self:
        if self.moves:  # Live draws as soon as it is made
            self._live = Live(
                console=self._screen, refresh_per_second=8, transient=True, get_renderable=self._draw_block
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, value, trace)
