"""A script that reads the request from Flask, on which Microsoft's server is built."""

from flask import request


def init():
    pass


def run(data):
    return {"user": request.headers.get("X-User"), "type": request.content_type, "path": request.path}
