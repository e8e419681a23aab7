"""Print, as JSON, the outcome of common uses of Keras in TensorFlow (null, or the error); runs inside an image.

    python -c "$(cat use_keras.py)"

It passes with TensorFlow 1.15, 2.4 and 2.21. 1.15.0 fails with the recurrent layers if numpy is 1.20 (a symbolic
tensor's ``__array__`` raises NotImplementedError instead of TypeError), and with HDF5 if h5py is 3.
"""

import json
import tempfile
import warnings
from pathlib import Path

import numpy
import tensorflow

keras = tensorflow.keras
USES = []


def use(function):
    USES.append(function)
    return function


def train(*layers, shape):
    """Train a model of some layers and a dense one for a step, and assert that it predicts a number for each row."""
    model = keras.Sequential([keras.layers.InputLayer(shape), *layers, keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss=keras.losses.MeanSquaredError())
    model.fit(numpy.ones((4, *shape)), numpy.ones((4, 1)), verbose=0)
    predict(model, shape)
    return model


def predict(model, shape):
    prediction = model.predict(numpy.ones((2, *shape)), verbose=0)
    assert prediction.shape == (2, 1), f"the prediction has the shape {prediction.shape}"
    assert numpy.isfinite(prediction).all(), f"the prediction is {prediction}"
    return prediction


@use
def lstm():
    train(keras.layers.LSTM(2), shape=(3, 1))


@use
def gru():
    train(keras.layers.Bidirectional(keras.layers.GRU(2)), shape=(3, 1))


@use
def convolution():
    train(keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.Flatten(), shape=(5, 5, 1))


@use
def dataset():
    model = train(shape=(1,))
    rows = tensorflow.data.Dataset.from_tensor_slices((numpy.ones((4, 1)), numpy.ones((4, 1))))
    model.fit(rows.batch(2), epochs=1, verbose=0)


@use
def saved_as_hdf5():
    model = train(keras.layers.Dense(2), shape=(1,))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.h5"))
        model.save(path)
        loaded = keras.models.load_model(path)
        model.save_weights(str(Path(folder, "model.weights.h5")))
        model.load_weights(str(Path(folder, "model.weights.h5")))
    assert numpy.allclose(predict(loaded, (1,)), predict(model, (1,))), "the loaded model predicts something else"


def attempt(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - any error is the outcome
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({function.__name__: attempt(function) for function in USES}))
