"""An event loop with a signal handler of its own, as servers and clients in asyncio have it: in run(), in a stream."""

import asyncio
import json
import signal

from azureml_inference_server_http.api.aml_response import AMLResponse


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, print)
    await asyncio.sleep(0.01)
    return "done"


def parts():
    yield b"parts "
    yield asyncio.run(main()).encode()


def init():
    asyncio.run(main())


def run(data):
    if json.loads(data)["how"] == "stream":
        return AMLResponse(parts(), 200)
    return asyncio.run(main())
