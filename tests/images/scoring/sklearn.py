"""scikit-learn: a linear regression that learns y = 2x + 1."""

import json

import numpy
import sklearn
from sklearn.linear_model import LinearRegression

REQUEST = {"data": [[10.0], [20.0]]}
ANSWER = [21.0, 41.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 192


def init():
    global model
    x = numpy.arange(8.0).reshape(-1, 1)
    model = LinearRegression().fit(x, 2 * x.ravel() + 1)


def run(data):
    prediction = model.predict(numpy.array(json.loads(data)["data"]))
    return {"version": sklearn.__version__, "prediction": prediction.tolist()}
