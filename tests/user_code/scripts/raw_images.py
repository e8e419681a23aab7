"""Raw requests: an image as the body or as a file of a form, GET with parameters; answers with their own status."""

import hashlib

from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    assert AMLRequest


@rawhttp
def run(request):
    if request.method == "GET":
        return AMLResponse(f"name: {request.args.get('name')}", 200)
    if request.method != "POST":
        return AMLResponse("bad request", 500)
    if request.files:
        return {name: len(file.read()) for name, file in request.files.items()}
    body = request.get_data(False)
    if not body.startswith(b"\x89PNG"):
        return AMLResponse("not a PNG", 415)
    headers = {"Content-Type": "image/png", "X-Sha": hashlib.sha256(body).hexdigest()[:8]}
    return AMLResponse(body, 200, headers)
