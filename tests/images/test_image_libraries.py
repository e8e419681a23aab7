"""Common uses of the libraries in an image: old versions can be installed together and still fail in use."""

from __future__ import annotations

from image_container import Container
from image_plan import Image, applies


def must_work(container: Container, script: str, number: int) -> None:
    """Run a script that prints the outcome of each use (null, or its error), and assert that there were no errors."""
    container.must_run()
    outcomes: dict[str, str | None] = container.python(script)
    failed = [f"{name}: {error}" for name, error in outcomes.items() if error is not None]
    assert len(outcomes) == number, f"{len(outcomes)} were tried, not {number}"
    assert not failed, f"{len(failed)} of {number} fail: {'; '.join(failed)}"


@applies(lambda image: "pandas" in image.lock)
def test_common_operations_of_pandas(image: Image, container: Container) -> None:
    must_work(container, "use_pandas.py", 36)


@applies(lambda image: image.framework == "tensorflow")
def test_common_models_of_keras(image: Image, container: Container) -> None:
    """Recurrent layers, convolutions, data sets and models in HDF5 can be trained, saved and loaded."""
    must_work(container, "use_keras.py", 5)
