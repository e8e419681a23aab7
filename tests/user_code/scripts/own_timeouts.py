"""Timeouts of the script's own: of a socket, of asyncio, of a thread, and one that it raises itself."""

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor


def init():
    global pool, listener
    pool = ThreadPoolExecutor(1)
    listener = socket.create_server(("127.0.0.1", 0))


def run(data):
    how = json.loads(data)["how"]
    if how == "socket":
        with socket.create_connection(listener.getsockname(), timeout=0.1) as client:
            client.recv(1)
    if how == "asyncio":
        asyncio.run(asyncio.wait_for(asyncio.sleep(10), 0.1))
    if how == "thread":
        pool.submit(time.sleep, 0.5).result(timeout=0.1)
    if how == "raised":
        raise TimeoutError("the database does not answer")
    if how == "scoring":
        time.sleep(10)
    return "in time"
