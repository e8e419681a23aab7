"""asyncio in run(): asyncio.run(), a loop of one's own, a loop in a thread, an asynchronous client, a subprocess."""

import asyncio
import json
import threading


async def wait_and_double(x):
    await asyncio.sleep(0.01)
    return 2 * x


async def gather(xs):
    return await asyncio.gather(*(wait_and_double(x) for x in xs))


async def get(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer.decode().splitlines()[-1]


async def command():
    process = await asyncio.create_subprocess_exec("echo", "from a command", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return [output.decode().strip(), process.returncode]


def init():
    global loop
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()


def run(data):
    how = json.loads(data)["how"]
    if how == "run":
        return asyncio.run(gather([1, 2, 3]))
    if how == "own loop":
        own = asyncio.new_event_loop()
        try:
            return own.run_until_complete(gather([1, 2, 3]))
        finally:
            own.close()
    if how == "loop in a thread":
        return asyncio.run_coroutine_threadsafe(gather([1, 2, 3]), loop).result(10)
    if how == "client":
        return asyncio.run(get("127.0.0.1", 5001))
    if how == "command":
        return asyncio.run(command())
    return "unknown"
