"""A FastAPI application that replaces the scoring server."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def health():
    return "Healthy"


@app.post("/score")
def score(data: dict):
    return {"doubled": [2 * x for x in data["x"]]}
