"""The body of MLflow's format as a data frame."""

import json

import pandas as pd


def init():
    pass


def run(raw_data):
    sent = json.loads(raw_data)["input_data"]
    frame = pd.DataFrame(sent["data"], columns=sent["columns"], index=sent.get("index"))
    frame["total"] = frame.sum(axis=1, numeric_only=True)
    return json.loads(frame.to_json(orient="records"))
