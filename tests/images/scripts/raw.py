"""A raw HTTP script: run() gets the request and may return a response."""

from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    assert AMLRequest


@rawhttp
def run(request):
    if request.args.get("status"):
        return AMLResponse("as the script says", int(request.args["status"]))
    if request.args.get("stream"):
        return AMLResponse((part for part in (b"one ", b"two")), 200)
    if request.method == "POST":
        return AMLResponse(bytes(reversed(request.get_data())), 200, {"Content-Type": "image/png"})
    return {"method": request.method, "query": request.query_string.decode()}
