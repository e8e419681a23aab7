"""The score script of `nox -s bench -- --only first-answer`: a small real model, y = 2x + 1."""

import json

import numpy
from sklearn.linear_model import LinearRegression


def init():
    global model
    x = numpy.arange(8.0).reshape(-1, 1)
    model = LinearRegression().fit(x, 2 * x.ravel() + 1)


def run(data):
    return model.predict(numpy.array(json.loads(data)["data"])).tolist()
