"""An event loop with a signal handler of its own, in each request, as servers and clients in asyncio have it."""

import asyncio
import signal


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, print)
    await asyncio.sleep(0.01)
    return "done"


def init():
    pass


def run(data):
    return asyncio.run(main())
