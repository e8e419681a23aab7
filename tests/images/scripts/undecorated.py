"""An undecorated script: run() gets the body as text. The request says what to do."""

import decimal
import json
import os
import sys
import threading
import time

import beside  # a user's module, in the app root


def init():
    global model, thread
    print("init() was called")
    decimal.getcontext().prec = 5  # a context variable
    thread = threading.get_ident()
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.txt")) as file:  # noqa: PTH118, PTH123
        model = file.read()


def run(data, request_headers):
    try:
        asked = json.loads(data)
    except ValueError:
        return {"characters": len(data)}
    action = asked.get("do")
    if action == "raise":
        raise ValueError("the model said no")
    if action == "unserialisable":
        return {1, 2}
    if action == "sleep":
        time.sleep(30)
    if action == "nap":
        time.sleep(0.5)
    if action == "compute":
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass
    if action == "exit":
        sys.exit(1)
    if action == "die":
        os.kill(os.getpid(), 9)
    return {
        "asked": asked,
        "text": isinstance(data, str),
        "model": model,
        "beside": beside.NAME,
        "header": request_headers.get("X-Of-The-User"),
        "third": str(decimal.Decimal(1) / 3),
        "main_thread": threading.get_ident() == thread == threading.main_thread().ident,
    }
