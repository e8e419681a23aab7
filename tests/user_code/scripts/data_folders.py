"""Files next to the script: by a path relative to the app root, by `__file__`, as package data; a local package."""

import json
import os
import pkgutil

from mypackage.preprocessing import clean


def init():
    global labels, settings
    with open("data/labels.txt", encoding="utf-8") as file:
        labels = file.read().split()
    with open(os.path.join(os.path.dirname(__file__), "data", "settings.json")) as file:
        settings = json.load(file)


def run(data):
    text = json.loads(data)["text"]
    return {
        "label": labels[settings["index"]],
        "clean": clean(text),
        "package data": pkgutil.get_data("mypackage", "words.txt").decode().split(),
    }
