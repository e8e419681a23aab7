"""ONNX Runtime: a model of two nodes that computes y = 2x + 1.

The image has no `onnx` package to make a model with, so this writes the few protobuf fields by hand; their
numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import json

import numpy
import onnxruntime

REQUEST = {"data": [[10.0], [20.0]]}
ANSWER = [21.0, 41.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 96

PROVIDERS = onnxruntime.get_available_providers()
FLOAT = 1  # TensorProto.DataType


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number, value):
    """Return a field of a protobuf message: a number, a text, or a nested message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def node(operation, inputs, output):
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation)


def constant(name, value):
    dimensions = b"".join(field(1, length) for length in value.shape)
    return dimensions + field(2, FLOAT) + field(8, name) + field(9, value.astype("<f4").tobytes())


def column(name):
    """A tensor of floats with any number of rows and one column."""
    shape = field(1, field(2, "rows")) + field(1, field(1, 1))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def linear_model():
    graph = (
        field(1, node("MatMul", ["x", "slope"], "product"))
        + field(1, node("Add", ["product", "intercept"], "y"))
        + field(2, "linear")
        + field(5, constant("slope", numpy.array([[2.0]])))
        + field(5, constant("intercept", numpy.array([1.0])))
        + field(11, column("x"))
        + field(12, column("y"))
    )
    ir_version, opset = 7, 13  # 1.6 and all later versions read these
    return field(1, ir_version) + field(7, graph) + field(8, field(1, "") + field(2, opset))


def init():
    global session
    # As in a script for both: the GPU first, if the build supports it.
    wanted = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in PROVIDERS]
    session = onnxruntime.InferenceSession(linear_model(), providers=wanted)


def run(data):
    [prediction] = session.run(["y"], {"x": numpy.array(json.loads(data)["data"], dtype=numpy.float32)})
    return {"version": onnxruntime.__version__, "prediction": prediction.ravel().tolist()}
