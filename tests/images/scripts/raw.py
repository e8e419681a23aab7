"""A raw HTTP script: run() gets the request and may return a response."""

import decimal

from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    global ended
    assert AMLRequest
    decimal.getcontext().prec = 5  # a context variable: streamed answers have a copy of them
    ended = 0


def count():
    global ended
    ended += 1


def parts(fails):
    yield b"one "
    yield str(decimal.Decimal(1) / 3).encode()
    if fails:
        raise ValueError("the model stopped")


@rawhttp
def run(request):
    if request.args.get("status"):
        return AMLResponse("as the script says", int(request.args["status"]))
    if request.args.get("stream"):
        response = AMLResponse(parts(request.args["stream"] == "fails"), 200)
        response.call_on_close(count)
        return response
    if request.args.get("ended"):
        return ended
    if request.method == "POST":
        return AMLResponse(bytes(reversed(request.get_data())), 200, {"Content-Type": "image/png"})
    return {"method": request.method, "query": request.query_string.decode()}
