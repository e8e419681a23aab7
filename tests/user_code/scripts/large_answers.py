"""Answers of 50 MB: text, numbers, bytes."""

import json

from azureml_inference_server_http.api.aml_response import AMLResponse

SIZE = 50_000_000


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "text":
        return "x" * SIZE
    if how == "numbers":
        return [0.12345678] * (SIZE // 12)
    return AMLResponse(bytes(SIZE), 200, {"Content-Type": "application/octet-stream"})
