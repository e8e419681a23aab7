"""Scripts with schemas: the types of their parameters (numpy's and pandas' too), and input that does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from image_container import Container, Start
from image_plan import Image, applies
from scoring_requests import describe, message, score
from scoring_scripts import PATIENCE, script, wait_for_log


@pytest.fixture(scope="module")
def server(start: Start) -> Container:
    return start(
        {"code/score.py": script("decorated.py")},
        environment={"AZUREML_ENTRY_SCRIPT": "/code/score.py", "WORKER_PRELOAD": "true"},
    )


@pytest.fixture(scope="module")
def decorated(server: Container) -> str:
    """The server's URL."""
    return server.wait_until_it_answers()


def test_decorated(image: Image, decorated: str) -> None:
    """Each parameter gets the type of its schema; one with a default may be omitted."""
    answer = score(decorated, {"table": [[1.0, 2.0], [3.0, 4.0]], "name": "n"})
    assert answer.status_code == 200, describe(answer)
    expected = "ndarray" if "numpy" in image.lock else "list"
    assert answer.json() == {"sum": 10.0, "name": "n", "type": expected}, describe(answer)


def test_decorated_get(decorated: str) -> None:
    answer = requests.get(f"{decorated}/score?table=[[1.0,2.0],[3.0,4.0]]&name=n&factor=2", timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["sum"] == 20.0, describe(answer)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "why"),
    [
        (b'{"table": [[1.0', "application/json", 400, "could not be decoded as JSON"),
        (b"", "application/json", 400, "empty"),
        (b"[[1.0, 2.0]]", "application/json", 400, "should be a JSON dictionary"),
        (b'{"table": [[1.0, 2.0]]}', "application/json", 400, "'name'"),
        (b'{"table": [[1.0, 2.0]], "name": "n"}', "text/plain", 415, "application/json"),
        (b"\xff\xfe", "application/octet-stream", 415, "application/json"),
    ],
    ids=["no JSON", "empty", "no dictionary", "no parameter", "text", "bytes"],
)
def test_decorated_bad_input(decorated: str, body: bytes, content_type: str, status: int, why: str) -> None:
    headers = {"Content-Type": content_type}
    answer = requests.post(f"{decorated}/score", data=body, headers=headers, timeout=PATIENCE)
    assert why in message(answer, status), describe(answer)


#: The parameters of the decorated script, and what the answer says where one does not fit its schema.
MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "a number as text": ({"table": [[1.0, 2.0]], "name": 5}, "'name'"),
    "a dictionary as list": ({"table": {"a": 1}, "name": "n"}, "'table'"),
}
OF_NUMPY: dict[str, tuple[dict[str, Any], str]] = {
    "ragged rows": ({"table": [[1.0, 2.0], [3.0]], "name": "n"}, "'table'"),
    "wrong shape": ({"table": [[1.0, 2.0, 3.0]], "name": "n"}, "size 3 on dimension #1"),
    "one dimension": ({"table": [1.0, 2.0], "name": "n"}, "2 dimensions is expected"),
    "text as float": ({"table": [["a", "b"]], "name": "n"}, "could not convert string to float"),
}
OF_PANDAS = {
    "null in an int column": ([{"count": None, "price": 1.0}], "int"),
    "null in one of two rows": ([{"count": None, "price": 1.0}, {"count": 1, "price": 1.0}], "integer"),
    "text in a float column": ([{"count": 1, "price": "cheap"}], "cheap"),
    "missing column": ([{"count": 1}], "size 1 on dimension #1"),
    "ragged rows": ([{"count": 1, "price": 1.0}, {"price": 2.0}], "integer"),
    "text": ("a frame", "unable to convert input"),
}


def must_be_refused(server: Container, url: str, parameters: dict[str, Any], why: str) -> None:
    """The input must be bad for the client, with the reason, and a line in the log."""
    answer = score(url, parameters)
    assert why in message(answer, 400), describe(answer)
    assert "x-ms-run-function-failed" not in answer.headers or answer.headers["x-ms-run-function-failed"] == "False"
    wait_for_log(server, message(answer, 400))


@pytest.mark.parametrize("case", MISFITS)
def test_input_that_does_not_fit_the_schema(decorated: str, server: Container, case: str) -> None:
    must_be_refused(server, decorated, *MISFITS[case])


@applies(lambda image: "numpy" in image.lock)
@pytest.mark.parametrize("case", OF_NUMPY)
def test_input_that_is_not_the_array(decorated: str, server: Container, case: str) -> None:
    must_be_refused(server, decorated, *OF_NUMPY[case])


@applies(lambda image: "pandas" in image.lock)
@pytest.mark.parametrize("case", OF_PANDAS)
def test_input_that_is_not_the_frame(decorated: str, server: Container, case: str) -> None:
    frame, why = OF_PANDAS[case]
    must_be_refused(server, decorated, {"table": [[1.0, 2.0]], "name": "n", "frame": frame}, why)


@applies(lambda image: "pandas" in image.lock)
def test_a_frame(decorated: str) -> None:
    rows = [{"count": 2, "price": 1.5}, {"count": 1, "price": 0.5}]
    answer = score(decorated, {"table": [[1.0, 2.0]], "name": "n", "frame": rows})
    assert answer.status_code == 200, describe(answer)
    assert answer.json() == {"sum": 3.5, "name": "n", "type": "DataFrame"}, describe(answer)


def test_a_decorated_script_that_raises(decorated: str, server: Container) -> None:
    """Its own ValueError is no fault of the input."""
    answer = score(decorated, {"table": [[1.0, 2.0]], "name": "raise"})
    assert "scoring script" in message(answer, 500), describe(answer)
    assert answer.headers["x-ms-run-function-failed"] == "True", describe(answer)
    wait_for_log(server, "ValueError: the script itself")


@pytest.mark.parametrize(
    ("query", "key", "version"),
    [
        ("", "swagger", "2.0"),
        ("?version=2", "swagger", "2.0"),
        ("?version=3", "openapi", "3.0."),
        ("?version=3.1", "openapi", "3.1."),
    ],
)
def test_swagger(decorated: str, query: str, key: str, version: str) -> None:
    answer = requests.get(f"{decorated}/swagger.json{query}", timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    swagger = answer.json()
    assert str(swagger.get(key)).startswith(version), describe(answer)
    assert set(swagger["paths"]) == {"/", "/score", "/swagger.json"}, f"paths: {set(swagger['paths'])}"
    schemas = swagger["definitions"] if key == "swagger" else swagger["components"]["schemas"]
    assert set(schemas["ServiceInput"]["properties"]) == {"table", "name", "factor", "frame"}, schemas["ServiceInput"]
    assert schemas["ServiceInput"]["example"]["table"] == [[1.0, 2.0], [3.0, 4.0]], schemas["ServiceInput"]
    assert set(schemas["ServiceOutput"]["properties"]) == {"sum", "name", "type"}, schemas["ServiceOutput"]


def test_swagger_of_an_unknown_version(decorated: str) -> None:
    answer = requests.get(f"{decorated}/swagger.json?version=9", timeout=PATIENCE)
    assert "[9] is not valid" in message(answer, 404), describe(answer)


def test_no_cors_by_default(decorated: str) -> None:
    answer = requests.options(f"{decorated}/score", headers={"Origin": "https://one.example"}, timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert "Access-Control-Allow-Origin" not in answer.headers, "every page may send requests"
