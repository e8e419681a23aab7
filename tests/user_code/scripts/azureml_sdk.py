"""The first SDK's way to the model: `azureml-core` is in no inference image, the script must not need it."""

from azureml.core.model import Model


def init():
    global path
    path = Model.get_model_path("my-model")


def run(data):
    return path
