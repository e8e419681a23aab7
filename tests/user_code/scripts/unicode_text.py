"""Text in all scripts of the world: in the body, the answer, the log, and a file's name."""

import json
import os


def init():
    global names
    names = sorted(name for name in os.listdir(os.path.dirname(__file__)) if name.startswith("größe"))


def run(data):
    text = json.loads(data)["text"]
    print("got", text)
    return {"text": text, "length": len(text), "files": names}
