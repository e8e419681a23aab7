"""XGBoost: one tree, one split, which learns a step: 10 below x = 4, and 20 from 4 on."""

import json

import numpy
import xgboost

REQUEST = {"data": [[1.0], [6.0]]}
ANSWER = [10.0, 20.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 192


#: A CUDA build is asked to use the GPU, and falls back to the CPU. (0.90 does not have this parameter.)
CUDA = getattr(xgboost, "build_info", dict)().get("USE_CUDA", False)


def init():
    global model
    x = numpy.arange(8.0).reshape(-1, 1)
    step = xgboost.DMatrix(x, label=numpy.where(x.ravel() < 4, 10.0, 20.0))
    exact = {
        "max_depth": 1,
        "eta": 1.0,
        "lambda": 0.0,
        "min_child_weight": 0.0,
        "base_score": 0.0,
        "nthread": 1,
        **({"device": "cuda"} if CUDA else {}),
    }
    model = xgboost.train({"objective": "reg:squarederror", **exact}, step, num_boost_round=1)


def run(data):
    prediction = model.predict(xgboost.DMatrix(numpy.array(json.loads(data)["data"])))
    return {"version": xgboost.__version__, "prediction": prediction.tolist()}
