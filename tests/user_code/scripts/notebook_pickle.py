"""A model that was pickled in a notebook, where its class was in `__main__`; the script puts the class there."""

import glob
import json
import os
import pickle

import __main__


class Scaler:
    def predict(self, values):
        return [self.factor * value for value in values]


__main__.Scaler = Scaler


def init():
    global model
    # The platform mounts a registered model one folder deeper: find it.
    path = glob.glob(os.path.join(os.environ["AZUREML_MODEL_DIR"], "**", "*.pkl"), recursive=True)[0]
    with open(path, "rb") as file:
        model = pickle.load(file)


def run(data):
    return model.predict(json.loads(data)["data"])
