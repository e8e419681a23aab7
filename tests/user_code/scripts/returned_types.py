"""Everything that scripts return: JSON as text, nothing, tuples, numbers; and a test block at the end."""

import json


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "text of JSON":
        return json.dumps({"result": [1, 2]})
    if how == "nothing":
        return None
    if how == "tuple":
        return 1, "two"
    if how == "bytes":
        return b"bytes"
    return 0.1


if __name__ == "__main__":
    init()
    print(run('{"how": "tuple"}'))
