"""Requests that write a tag: each is waited for, also after Ctrl-C, so that its outcome is known where it can be."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from build.registry.client import Client
from build.registry.manifests import Manifest
from build.system import console

#: The least seconds between a write and the read that shows whether another run's write came after it.
SETTLE = 2.0
#: Seconds that Ctrl-C waits for the answer to a request that is on its way.
PATIENCE = 10.0


class Writes:
    """Writes tags, one after the other.

    Args:
        remote: The registry.
    """

    def __init__(self, remote: Client) -> None:
        self._remote = remote
        #: Seconds of the slowest write so far.
        self.slowest = 0.0

    @property
    def settled_after(self) -> float:
        """Seconds after which a write that another run began earlier has arrived: twice the slowest seen."""
        return max(SETTLE, 2 * self.slowest)

    def put(self, repository: str, tag: str, manifest: Manifest, blobs: Sequence[bytes] = ()) -> bool:
        """Point a tag to a manifest, whose small ``blobs`` are uploaded first.

        Returns:
            Whether it is settled; else an earlier attempt was not answered, and may move the tag at any later time.

        Raises:
            RegistryError: The registry is not there, refuses, or fails.
            KeyboardInterrupt: Ctrl-C was pressed, and the request was carried out.
            UnansweredInterrupt: Ctrl-C was pressed, and it is unknown whether the request was or will be carried out.
        """
        failures: list[BaseException] = []
        settled: list[bool] = []
        # Not `join`: after Ctrl-C in it, Python 3.11 takes the thread for ended.
        ended = threading.Event()

        def send() -> None:
            try:
                settled.append(self._remote.put_tag(repository, tag, manifest, blobs))
            except BaseException as failure:  # noqa: BLE001  raised again in the caller's thread
                failures.append(failure)
            finally:
                ended.set()

        began = time.monotonic()
        # Not in this thread: Ctrl-C would cut the request, which the registry may carry out all the same.
        threading.Thread(target=send, daemon=True).start()
        try:
            ended.wait()
        except KeyboardInterrupt:
            console.warn(
                f"interrupted; waiting at most {console.seconds(PATIENCE)} for the registry's answer about "
                f"{repository}:{tag} (Ctrl-C again: do not wait)"
            )
            try:
                ended.wait(PATIENCE)
            except KeyboardInterrupt:
                raise UnansweredInterrupt from None
            if not ended.is_set() or settled != [True]:
                raise UnansweredInterrupt from None
            raise
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if failures:
            raise failures[0]
        return settled[0]

    def sleep(self, seconds: float, why: str) -> None:
        """Wait, and show why."""
        with console.err.status(why):
            time.sleep(seconds)


class UnansweredInterrupt(KeyboardInterrupt):
    """Ctrl-C while a request was on its way that the registry did not answer."""
