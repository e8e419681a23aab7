"""Processes with Python's multiprocessing; the functions that run in them are in a module next to the script."""

import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from features import square


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "terminate":
        process = multiprocessing.Process(target=time.sleep, args=(600,))
        process.start()
        process.terminate()
        process.join(5)
        return process.exitcode
    if how == "pool":
        with multiprocessing.Pool(2) as pool:
            return pool.map(square, range(5))
    if how == "executor":
        with ProcessPoolExecutor(max_workers=2) as pool:
            return list(pool.map(square, range(5)))
    if how == "spawn":
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            return list(pool.map(square, range(5)))
    if how == "queue":
        queue = multiprocessing.Queue()
        processes = [multiprocessing.Process(target=put_square, args=(queue, x)) for x in range(3)]
        for process in processes:
            process.start()
        answers = sorted(queue.get(timeout=10) for _ in processes)
        for process in processes:
            process.join()
        return [answers, [process.exitcode for process in processes]]
    return "unknown"


def put_square(queue, x):
    queue.put(square(x))
