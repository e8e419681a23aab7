"""A plot as a PNG; matplotlib wants a folder for its cache of fonts."""

import io
import os

import matplotlib
from azureml_inference_server_http.api.aml_response import AMLResponse

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def init():
    print("cache writable:", os.access(matplotlib.get_cachedir(), os.W_OK))


def run(data):
    figure = plt.figure()
    plt.plot([1, 2, 3], [1, 4, 9])
    plt.title("squares")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    plt.close(figure)
    return AMLResponse(image.getvalue(), 200, {"Content-Type": "image/png"})
