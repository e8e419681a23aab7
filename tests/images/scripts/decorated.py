"""A script with schemas of inference_schema: standard Python types, and those of numpy and pandas where they are."""

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

try:
    import numpy
except ImportError:
    TABLE = StandardPythonParameterType([[1.0, 2.0], [3.0, 4.0]])
else:
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType

    TABLE = NumpyParameterType(numpy.array([[1.0, 2.0], [3.0, 4.0]]))

try:
    import pandas
except ImportError:
    FRAME = StandardPythonParameterType([{"count": 1, "price": 0.5}])
else:
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType

    FRAME = PandasParameterType(pandas.DataFrame({"count": [1], "price": [0.5]}))


#: The rows of a request without any; they are converted too.
NO_ROWS = [{"count": 0, "price": 0.0}]


def init():
    """Nothing to load."""


@input_schema("table", TABLE)
@input_schema("name", StandardPythonParameterType("a name"))
@input_schema("frame", FRAME)
@output_schema(StandardPythonParameterType({"sum": 10.0, "name": "a name", "type": "list"}))
def run(table, name, factor=1, frame=NO_ROWS):
    if type(frame).__name__ == "DataFrame" and frame["count"].sum():
        return {"sum": float(sum(frame["count"] * frame["price"])), "name": name, "type": type(frame).__name__}
    if name == "raise":
        raise ValueError("the script itself")
    total = sum(sum(float(number) for number in row) for row in table)
    return {"sum": factor * total, "name": name, "type": type(table).__name__}
