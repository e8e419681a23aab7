"""The server's HTTP interface on port 5001: requests, answers, and the variables that change them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests
from image_container import Container, Start
from image_plan import Image
from image_timing import Timing
from scoring_requests import describe, message, score
from scoring_scripts import PATIENCE, Wanted, script, start_all, wait_for_end, wait_for_log

pytestmark = pytest.mark.depends("base")

SCORING_TIMEOUT_MS = 1000
#: The largest body that nginx in front of the original images accepted, in bytes.
LARGE = 100 * 1024 * 1024
#: The largest number of characters in a client's request ID.
LONGEST_ID = 100

CONTAINERS = {
    "undecorated": Wanted(
        files={
            "main.py": script("undecorated.py"),
            "beside.py": b"NAME = 'beside'\n",
            "azureml-models/model.txt": b"a model",
        },
        environment={
            "AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models",
            "AML_CORS_ORIGINS": "https://one.example, https://two.example",
            "SCORING_TIMEOUT_MS": str(SCORING_TIMEOUT_MS),
        },
    ),
    "raw": Wanted(
        files={"elsewhere/score.py": script("raw.py")},
        environment={
            "AML_APP_ROOT": "/var/azureml-app/elsewhere",
            "AZUREML_ENTRY_SCRIPT": "/var/azureml-app/elsewhere/score.py",
            "AZUREML_LOG_LEVEL": "DEBUG",
        },
    ),
    "workers": Wanted(
        files={"main.py": script("held.py")}, environment={"WORKER_COUNT": "2", "AZUREML_LOG_LEVEL": "error"}
    ),
    "hanging": Wanted(files={"main.py": script("held.py")}, environment={"WORKER_TIMEOUT": "5"}),
    "slow init": Wanted(files={"main.py": script("slow_init.py")}, environment={"WORKER_TIMEOUT": "5"}),
    "no script": Wanted(files={}),
    "no folder": Wanted(files={}, environment={"AML_APP_ROOT": "/no/such/folder"}),
}


@pytest.fixture(scope="module")
def containers(start: Start) -> dict[str, Container]:
    """All containers, started together: the others boot while the first is tested."""
    return start_all(start, CONTAINERS)


@pytest.fixture(scope="module", autouse=True)
def hanging(containers: dict[str, Container]) -> Iterator[Future[list[requests.Response]]]:
    """A server's answers before and after a prediction that never ends; requested during the other tests."""

    def answers() -> list[requests.Response]:
        url = containers["hanging"].wait_until_it_answers()
        before = score(url, {"do": "nothing"})
        with contextlib.suppress(requests.ConnectionError):  # the process ended without an answer
            hung = score(url, {"do": "hang", "name": "hanging"})
            assert hung.status_code >= 500, describe(hung)
        return [before, score(url, {"do": "nothing"})]

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(answers)


@pytest.fixture(scope="module")
def undecorated(containers: dict[str, Container]) -> str:
    """A server whose run() gets text."""
    return containers["undecorated"].wait_until_it_answers()


@pytest.fixture(scope="module")
def raw(containers: dict[str, Container]) -> str:
    """A server whose run() gets requests."""
    return containers["raw"].wait_until_it_answers()


@pytest.fixture(scope="module")
def workers(containers: dict[str, Container]) -> str:
    """A server with two workers."""
    return containers["workers"].wait_until_it_answers()


# Scripts that get text


def test_post_gives_the_script_the_body_as_text(undecorated: str) -> None:
    answer = score(undecorated, {"x": 1})
    assert answer.status_code == 200, describe(answer)
    assert answer.headers["Content-Type"] == "application/json", describe(answer)
    assert answer.headers["x-ms-run-function-failed"] == "False", describe(answer)
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0, describe(answer)
    assert answer.json()["text"] is True, describe(answer)
    assert answer.json()["asked"] == {"x": 1}, describe(answer)


def test_get_gives_the_script_the_query(undecorated: str) -> None:
    answer = requests.get(f"{undecorated}/score?x=1&y=a&z=1&z=2", timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["asked"] == {"x": 1, "y": "a", "z": [1, 2]}, describe(answer)


def test_options(undecorated: str) -> None:
    answer = requests.options(f"{undecorated}/score", timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, ""), describe(answer)


def test_script_sees_model_modules_and_headers(undecorated: str) -> None:
    """AZUREML_MODEL_DIR, modules next to the script, and the request's headers."""
    answer = score(undecorated, {}, headers={"X-Of-The-User": "yes"})
    assert answer.status_code == 200, describe(answer)
    body = answer.json()
    assert (body["model"], body["beside"], body["header"]) == ("a model", "beside", "yes"), describe(answer)


def test_script_runs_on_one_thread(undecorated: str) -> None:
    """init() and run() are called on the main thread: libraries keep sessions and event loops per thread."""
    answer = score(undecorated, {})
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["main_thread"] is True, "init() and run() are not both on the main thread"


def test_run_sees_context_variables_of_init(undecorated: str) -> None:
    """Packages keep settings in them: decimal, numpy, tracing."""
    answer = score(undecorated, {})
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["third"] == "0.33333", f"the precision that init() sets is lost: {describe(answer)}"


def test_text_that_is_not_json_reaches_the_script(undecorated: str) -> None:
    answer = requests.post(f"{undecorated}/score", data=b"{", timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, '{"characters": 1}'), describe(answer)


def test_bytes_that_are_not_text(undecorated: str) -> None:
    answer = requests.post(f"{undecorated}/score", data=b"\xff\xfe", timeout=PATIENCE)
    assert "UTF-8" in message(answer, 400), describe(answer)


def test_large_body(undecorated: str) -> None:
    answer = requests.post(f"{undecorated}/score", data=b"a" * LARGE, timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, json.dumps({"characters": LARGE})), describe(answer)


def test_body_in_chunks(undecorated: str) -> None:
    """A body whose length the client does not announce."""
    answer = requests.post(f"{undecorated}/score", data=iter([b"one ", b"two"]), timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, '{"characters": 7}'), describe(answer)


def test_one_connection_for_several_requests(undecorated: str) -> None:
    with requests.Session() as session:
        steps: list[tuple[str, str, int]] = [
            ("POST", "/score", 200), ("POST", "/nowhere", 404), ("PUT", "/score", 405), ("GET", "/", 200),
            ("POST", "/score", 200),
        ]  # fmt: skip
        statuses = [
            session.request(method, undecorated + path, data=b"x" * 1000, timeout=PATIENCE).status_code
            for method, path, _ in steps
        ]
    assert statuses == [status for _, _, status in steps], f"{steps} → {statuses}"


# Failures of a script


def test_a_script_that_raises(undecorated: str, containers: dict[str, Container]) -> None:
    answer = score(undecorated, {"do": "raise"})
    assert "scoring script" in message(answer, 500), describe(answer)
    assert answer.headers["x-ms-run-function-failed"] == "True", describe(answer)
    wait_for_log(containers["undecorated"], "ValueError: the model said no")


def test_a_result_that_is_not_json(undecorated: str, containers: dict[str, Container]) -> None:
    answer = score(undecorated, {"do": "unserialisable"})
    assert "internal error" in message(answer, 500), describe(answer)
    wait_for_log(containers["undecorated"], "set is not JSON serializable")


@pytest.mark.parametrize("prediction", ["sleep", "compute"])
def test_scoring_timeout(undecorated: str, prediction: str) -> None:
    """SCORING_TIMEOUT_MS interrupts run(), whether it sleeps or computes."""
    answer = score(undecorated, {"do": prediction})
    assert message(answer, 500) == f"Scoring timeout after {SCORING_TIMEOUT_MS} ms", describe(answer)
    assert answer.headers["x-ms-run-function-failed"] == "True", describe(answer)
    assert score(undecorated, {}).status_code == 200, "the server does not continue"


def test_a_script_that_exits(undecorated: str) -> None:
    """sys.exit() in run() fails that request, as any exception does; other requests are not affected."""
    answer = score(undecorated, {"do": "exit"})
    assert "scoring script" in message(answer, 500), describe(answer)
    assert answer.headers["x-ms-run-function-failed"] == "True", describe(answer)
    answer = score(undecorated, {})
    assert answer.status_code == 200, describe(answer)


def test_a_script_whose_process_is_killed(undecorated: str) -> None:
    """As by the kernel when memory runs out: that request is lost, and the server continues."""
    with contextlib.suppress(requests.ConnectionError):  # the process ended without an answer
        answer = score(undecorated, {"do": "die"})
        assert answer.status_code >= 500, describe(answer)
    answer = score(undecorated, {})
    assert answer.status_code == 200, describe(answer)


def test_health(undecorated: str) -> None:
    """The server is still healthy after all these failures."""
    answer = requests.get(undecorated, timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, "Healthy"), describe(answer)


# Requests that are wrong for every script


@pytest.mark.parametrize(("method", "path"), [("PUT", "/score"), ("DELETE", "/score"), ("POST", "/")])
def test_wrong_method(undecorated: str, method: str, path: str) -> None:
    answer = requests.request(method, undecorated + path, timeout=PATIENCE)
    assert "method is not allowed" in message(answer, 405), describe(answer)


def test_unknown_path(undecorated: str) -> None:
    answer = requests.get(f"{undecorated}/nowhere", timeout=PATIENCE)
    assert "not found" in message(answer, 404), describe(answer)


@pytest.mark.parametrize("header", ["x-request-id", "x-ms-request-id", "x-ms-client-request-id"])
def test_request_id(undecorated: str, header: str) -> None:
    """It is returned in the answer, and refused if it is too long."""
    good = score(undecorated, {}, headers={header: "i" * LONGEST_ID})
    assert good.status_code == 200, describe(good)
    assert good.headers[header] == "i" * LONGEST_ID, f"{header} is not returned: {good.headers}"
    bad = score(undecorated, {}, headers={header: "i" * (LONGEST_ID + 1)})
    assert f"exceed {LONGEST_ID}" in message(bad, 431), describe(bad)


def test_server_version(image: Image, undecorated: str) -> None:
    version = image.lock["azureml-inference-server-http"]
    actual = score(undecorated, {}).headers.get("x-ms-server-version")
    assert actual == f"azmlinfsrv/{version}", f"x-ms-server-version: {actual}"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://one.example", True), ("https://two.example", True), ("https://three.example", False)],
)
def test_cors(undecorated: str, origin: str, allowed: bool) -> None:
    """AML_CORS_ORIGINS lists the origins that are allowed."""
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        requests.options(f"{undecorated}/score", headers=preflight, timeout=PATIENCE),
        score(undecorated, {}, headers={"Origin": origin}),
    ):
        assert answer.status_code == 200, describe(answer)
        actual = answer.headers.get("Access-Control-Allow-Origin")
        assert actual == (origin if allowed else None), f"{answer.request.method}: allowed for {origin}: {actual}"


def test_swagger_of_a_script_without_schemas(undecorated: str) -> None:
    answer = requests.get(f"{undecorated}/swagger.json", timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["definitions"]["ServiceInput"] == {"type": "object", "example": {}}, describe(answer)


# Scripts that get the raw request


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_raw_request(raw: str, method: str) -> None:
    answer = requests.request(method, f"{raw}/score?x=1", timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert answer.json() == {"method": method, "query": "x=1"}, describe(answer)


def test_raw_bytes(raw: str) -> None:
    answer = requests.post(f"{raw}/score", data=b"\x00\x01\xff", timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (200, b"\xff\x01\x00"), describe(answer)
    assert answer.headers["Content-Type"] == "image/png", f"Content-Type: {answer.headers['Content-Type']}"


@pytest.mark.parametrize(("status", "failed"), [(204, "False"), (404, "False"), (503, "True")])
def test_raw_status(raw: str, status: int, failed: str) -> None:
    answer = requests.get(f"{raw}/score?status={status}", timeout=PATIENCE)
    assert answer.status_code == status, describe(answer)
    actual = answer.headers["x-ms-run-function-failed"]
    assert actual == failed, f"x-ms-run-function-failed: {actual}"


def test_raw_parts(raw: str) -> None:
    """A response that the script generates in parts; it is told when the response ends, also where it fails."""

    def ended() -> int:
        return int(requests.get(f"{raw}/score?ended=1", timeout=PATIENCE).json())

    before = ended()
    answer = requests.get(f"{raw}/score?stream=1", timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, "one 0.33333"), describe(answer)
    with pytest.raises(requests.RequestException):
        requests.get(f"{raw}/score?stream=fails", timeout=PATIENCE)
    assert ended() - before == 2, "the functions of call_on_close() were not called"


# Workers


def test_worker_count(workers: str) -> None:
    """Two workers predict at the same time: each prediction waits until the other one has started."""
    seen: set[int] = set()
    give_up = time.monotonic() + PATIENCE
    while len(seen) < 2:  # the second may still be starting
        assert time.monotonic() < give_up, f"only worker {seen} answers"
        seen.add(score(workers, {"do": "nothing"}).json()["pid"])
    for number in range(8):
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(score, [workers] * 2, [{"do": "meet", "name": str(number)}] * 2))
        for answer in answers:
            assert answer.status_code == 200, describe(answer)
        results = [answer.json()["result"] for answer in answers]
        assert results == ["met", "met"], f"one worker predicted alone while the other was free (attempt {number + 1})"


def test_two_slashes_are_the_same_route(undecorated: str) -> None:
    """The server treats //score as /score, so this prediction must run on the main thread too."""
    answer = requests.post(undecorated + "//score", json={"do": "nothing"}, timeout=PATIENCE)
    assert answer.status_code == 200, describe(answer)
    assert answer.json()["main_thread"]


def test_an_answer_does_not_wait_for_the_next_prediction(
    start: Start, containers: dict[str, Container], timing: Timing
) -> None:
    """Each of three simultaneous requests is answered when its prediction ends, not when all have ended."""

    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()

        def arrival(_: int) -> float:
            assert score(url, {"do": "nap"}).status_code == 200
            return time.monotonic()

        with ThreadPoolExecutor(3) as pool:
            first, _, last = sorted(pool.map(arrival, range(3)))
        return "" if last - first > NAP else "the first answer waited for the later predictions"

    wanted = CONTAINERS["undecorated"]
    timing.check(measure, containers["undecorated"], lambda: start(wanted.files, environment=wanted.environment))


def test_worker_timeout(hanging: Future[list[requests.Response]]) -> None:
    """A worker whose prediction takes longer than WORKER_TIMEOUT is replaced, and the server continues."""
    before, after = hanging.result(2 * PATIENCE)
    assert after.status_code == 200, describe(after)
    assert after.json()["pid"] != before.json()["pid"], "the worker that hung was not replaced"


def test_worker_timeout_is_not_for_init(containers: dict[str, Container]) -> None:
    """A worker whose init() takes longer than WORKER_TIMEOUT is not replaced."""
    url = containers["slow init"].wait_until_it_answers()
    calls = score(url, {}).json()
    assert calls == 1, f"init() was called {calls} times"


# Start-up


@pytest.mark.parametrize(
    ("container", "parts"),
    [
        ("no script", ("/var/azureml-app/main.py", "AZUREML_ENTRY_SCRIPT")),
        ("no folder", ("/no/such/folder", "AML_APP_ROOT")),
    ],
)
def test_nothing_to_serve(containers: dict[str, Container], container: str, parts: tuple[str, ...]) -> None:
    """The log is one line that says what is missing and what to do."""
    code = wait_for_end(containers[container])
    log = containers[container].logs()
    assert code == 1, f"exit code {code}: {log}"
    assert len(log.splitlines()) == 1, f"expected one line that explains it, got: {log}"
    assert all(part in log for part in parts), f"it does not name {' and '.join(parts)}: {log}"


#: Seconds of a prediction in scripts/undecorated.py.
NAP = 0.5
READY = "ready for serving traffic"


@pytest.mark.parametrize(
    ("container", "has", "has_not"),
    [
        # A DEBUG line is logged after an HTTP error, and an INFO line after the start.
        ("raw", "D [", "no level"),
        ("undecorated", READY, " D ["),
        ("workers", "", READY),
    ],
)
def test_log_level(containers: dict[str, Container], container: str, has: str, has_not: str) -> None:
    """AZUREML_LOG_LEVEL sets it, in upper or lower case; the default is INFO."""
    url = containers[container].wait_until_it_answers()
    requests.get(url + "/no-such-path", timeout=PATIENCE)
    requests.put(url + "/score", timeout=PATIENCE)
    log = wait_for_log(containers[container], has)
    assert has_not not in log, log


def test_script_output_is_in_the_log(undecorated: str, containers: dict[str, Container]) -> None:
    wait_for_log(containers["undecorated"], "init() was called")
