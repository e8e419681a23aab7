"""OpenCV: decode, resize, encode."""

import base64
import json

import cv2
import numpy as np


def init():
    cv2.setNumThreads(1)


def run(data):
    raw = np.frombuffer(base64.b64decode(json.loads(data)["image"]), dtype=np.uint8)
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    if image is None:
        return {"error": "not an image"}
    small = cv2.resize(image, (4, 2))
    return {"shape": list(small.shape), "png": bool(cv2.imencode(".png", small)[0])}
