"""Settings from the environment, read when the script is imported and in each request; one is set for a library."""

import os

THRESHOLD = float(os.environ["THRESHOLD"])
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def init():
    pass


def run(data):
    return [THRESHOLD, os.environ["TOKENIZERS_PARALLELISM"], os.getenv("AZUREML_MODEL_DIR"), os.environ.get("EMPTY")]
