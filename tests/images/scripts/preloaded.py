"""Models that are fitted in init(), which uses a pool of native threads, and that predict with this pool in run()."""

import importlib.util
import os

import numpy

models = {}


def init():
    generator = numpy.random.default_rng(0) if hasattr(numpy.random, "default_rng") else numpy.random
    x = generator.normal(size=(2000, 10))
    y = (x[:, 0] > 0).astype(float)
    if importlib.util.find_spec("sklearn"):
        from sklearn.cluster import KMeans

        kmeans = KMeans(2, n_init=1).fit(x)
        models["sklearn"] = lambda: kmeans.predict(x)
    if importlib.util.find_spec("lightgbm"):
        import lightgbm

        trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(x, y), 5)
        models["lightgbm"] = lambda: trees.predict(x)
    if importlib.util.find_spec("xgboost"):
        import xgboost

        matrix = xgboost.DMatrix(x, y)
        booster = xgboost.train({"objective": "binary:logistic"}, matrix, 5)
        models["xgboost"] = lambda: booster.predict(matrix)
    if importlib.util.find_spec("torch"):
        import torch

        tensor = torch.rand(500, 500)
        models["torch"] = lambda: torch.exp(tensor @ tensor)
    for predict in models.values():
        predict()


def run(data):
    return {"pid": os.getpid(), "rows": {name: len(predict()) for name, predict in models.items()}}
