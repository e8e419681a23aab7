"""The server that the image's own CMD starts, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from image_answers import same
from image_container import Container
from image_plan import Image, applies
from packaging.version import Version

#: Seconds for one answer, on a small busy machine.
PATIENCE = 60
#: Version keys of image names that are not the beginning of a version: there was no XGBoost 0.9.
CALLED = {("xgboost", "0.9"): "0.90"}


@pytest.fixture(scope="module")
def scored(server: str, scoring: Any) -> requests.Response:
    """The answer to the sample script's request."""
    return requests.post(f"{server}/score", json=scoring.request, timeout=PATIENCE)


def test_health(server: str) -> None:
    answer = requests.get(server, timeout=PATIENCE)
    assert (answer.status_code, answer.text.strip()) == (200, "Healthy"), f"GET / → {answer.status_code} {answer.text}"


def test_framework_scores(scored: requests.Response, scoring: Any) -> None:
    """A real model of the framework gives the right answer, which is known from its mathematics."""
    assert scored.status_code == 200, f"POST /score → {scored.status_code}: {scored.text[:300]}"
    prediction = scored.json()["prediction"]
    assert same(prediction, scoring.answer), f"the score is {prediction}, expected {scoring.answer}"


@applies(lambda image: image.version is not None)
def test_framework_version_is_the_promised_one(image: Image, scored: requests.Response) -> None:
    """The framework that answered has the version in the image's name."""
    assert image.version is not None
    assert scored.status_code == 200, f"POST /score → {scored.status_code}: {scored.text[:300]}"
    version = CALLED.get((image.framework, image.version), image.version)
    promised, actual = Version(version).release, Version(scored.json()["version"]).release
    assert actual[: len(promised)] == promised, f"{image.framework} {actual} answered, not {promised}"


@pytest.mark.depends("base")
@pytest.mark.parametrize("setting", ["AZUREML_ENTRY_SCRIPT=no/such.py", "AML_APP_ROOT=/no/such/folder"])
def test_a_missing_entry_script_is_explained(host: Any, setting: str) -> None:
    name, value = setting.split("=")
    done = host.run(f"{setting} runsvdir /var/runit")
    assert done.rc != 0, "the exit code is 0"
    assert len(done.stderr.splitlines()) == 1, f"expected one line that explains it, got: {done.stderr}"
    assert name in done.stderr and value in done.stderr, f"it does not name {name} and {value}: {done.stderr}"


@pytest.mark.depends("base")
def test_heads_mean_what_gunicorn_takes_them_for(container: Container) -> None:
    """The server has a quicker reader for usual heads; what it makes of them is gunicorn's, or gunicorn reads them."""
    outcome = container.python("compare_heads.py", "1", "3000")
    assert outcome["different"] == [], f"heads are read in another way than by gunicorn: {outcome['different']}"
    assert set(outcome["clients"]) <= set(outcome["plain"]), f"not read quickly: {outcome}"
    assert outcome["changed and plain"] > 50 and outcome["answered"] > 200, f"too few heads were compared: {outcome}"


@pytest.mark.depends("base")
def test_access_log_is_gunicorns(container: Container) -> None:
    """Headers that a format does not name are not collected; the lines are the same."""
    for expected, actual in container.python("compare_access_logs.py"):
        assert actual == expected, f"the access log has {actual!r}, gunicorn's {expected!r}"
