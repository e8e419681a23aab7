"""Answers with headers and statuses of the script's own, right and wrong ones."""

import json

from azureml.contrib.services.aml_response import AMLResponse


def words():
    yield b"one "
    yield b"two"


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "chunked by hand":
        response = AMLResponse(words(), 200)
        response.headers["Content-Type"] = "text/event-stream; charset=utf-8"
        response.headers["Transfer-Encoding"] = "chunked"
        response.headers["Connection"] = "keep-alive"
        response.headers["X-Accel-Buffering"] = "no"
        return response
    if how == "text parts":
        return AMLResponse((word for word in ("one ", "größe")), 200)
    if how == "numbers as parts":
        return AMLResponse((number for number in (1, 2)), 200)
    if how == "nothing":
        return AMLResponse("a body that is not sent", 204)
    if how == "wrong length":
        response = AMLResponse("0123456789", 200)
        response.headers["Content-Length"] = "4"
        return response
    if how == "umlaut":
        return AMLResponse("x", 200, {"X-Name": "größe"})
    if how == "chinese":
        return AMLResponse("x", 200, {"X-Name": "数据"})
    if how == "line end":
        return AMLResponse("x", 200, {"X-Name": "a\nb"})
    if how == "status":
        return AMLResponse("x", 418)
    if how == "wrong status":
        return AMLResponse("x", "pending")
    return "fine"
