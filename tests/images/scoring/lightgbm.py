"""LightGBM: one tree, one split, which learns a step: 10 below x = 4, and 20 from 4 on."""

import json

import lightgbm
import numpy

REQUEST = {"data": [[1.0], [6.0]]}
ANSWER = [10.0, 20.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 192


def init():
    global model
    x = numpy.arange(8.0).reshape(-1, 1)
    exact = {
        "num_leaves": 2,
        "learning_rate": 1.0,
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "num_threads": 1,
    }
    step = lightgbm.Dataset(x, label=numpy.where(x.ravel() < 4, 10.0, 20.0), params=exact)
    model = lightgbm.train({"objective": "regression", "verbose": -1, **exact}, step, num_boost_round=1)


def run(data):
    prediction = model.predict(numpy.array(json.loads(data)["data"]))
    return {"version": lightgbm.__version__, "prediction": prediction.tolist()}
