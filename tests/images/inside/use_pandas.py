"""Print, as JSON, the outcome of 36 common operations of pandas (null, or the error); runs inside an image.

    python -c "$(cat use_pandas.py)"

They pass with pandas 0.25, 1.1 and 3.1. With numpy 1.20, pandas 0.25.1 as released fails in six of them: it relies on
older definitions of numpy's scalar types (``pandas/core/dtypes/cast.py``).
"""

import io
import json
import pickle
import tempfile
import warnings
from pathlib import Path

import numpy
import pandas

OPERATIONS = []


def operation(function):
    OPERATIONS.append(function)
    return function


def sales():
    return pandas.DataFrame(
        {
            "shop": ["a", "b", "a", "c"],
            "amount": [1.0, 2.0, 3.0, 4.0],
            "count": [1, 2, 3, 4],
            "day": pandas.to_datetime(["2021-05-01", "2021-05-02", "2021-05-03", "2021-05-04"]),
        }
    )


def same(found, expected):
    assert list(found) == list(expected), f"{list(found)}, not {list(expected)}"


@operation
def series_from_a_number():
    same(pandas.Series(5, index=[0, 1, 2]), [5, 5, 5])


@operation
def series_from_a_text():
    same(pandas.Series("t", index=[0, 1]), ["t", "t"])


@operation
def series_from_a_list():
    same(pandas.Series([3, 1, 2]).sort_values(), [1, 2, 3])


@operation
def series_with_a_type():
    same(pandas.Series([1, 2], dtype="float32") / 2, [0.5, 1.0])


@operation
def frame_from_a_scalar_and_a_list():
    same(pandas.DataFrame({"x": 1, "y": [1, 2]})["x"], [1, 1])


@operation
def frame_from_an_array():
    same(pandas.DataFrame(numpy.eye(2), columns=["x", "y"])["y"], [0.0, 1.0])


@operation
def frame_from_records():
    same(pandas.DataFrame([{"x": 1}, {"x": 2}])["x"], [1, 2])


@operation
def describe():
    found = sales()[["amount", "count"]].describe()
    same(found.loc["mean"], [2.5, 2.5])


@operation
def describe_a_series():
    assert sales()["amount"].describe()["max"] == 4.0


@operation
def select_dtypes():
    same(sales().select_dtypes(include=[numpy.number]).columns, ["amount", "count"])


@operation
def select_dtypes_exclude():
    same(sales().select_dtypes(exclude=["datetime"]).columns, ["shop", "amount", "count"])


@operation
def new_column_from_a_scalar():
    same(sales().assign(one=1)["one"], [1, 1, 1, 1])


@operation
def new_column_by_arithmetic():
    frame = sales()
    frame["total"] = frame["amount"] * frame["count"]
    same(frame["total"], [1.0, 4.0, 9.0, 16.0])


@operation
def filter_rows():
    same(sales()[sales()["amount"] > 2]["shop"], ["a", "c"])


@operation
def sort_values():
    same(sales().sort_values(["shop", "amount"], ascending=[True, False])["count"], [3, 1, 2, 4])


@operation
def drop_duplicates():
    same(sales().drop_duplicates("shop")["count"], [1, 2, 4])


@operation
def query():
    same(sales().query("amount > 2 and shop == 'a'")["count"], [3])


@operation
def rows_by_label_and_position():
    frame = sales().set_index("shop")
    assert frame.loc["b", "count"] == 2
    assert frame.iloc[-1]["count"] == 4


@operation
def groupby():
    same(sales().groupby("shop")["amount"].sum(), [4.0, 2.0, 4.0])


@operation
def groupby_aggregate():
    same(sales().groupby("shop").agg({"amount": "mean", "count": "max"})["count"], [3, 2, 4])


@operation
def merge():
    towns = pandas.DataFrame({"shop": ["a", "b"], "town": ["Ulm", "Bonn"]})
    same(sales().merge(towns, on="shop", how="left")["town"].fillna("?"), ["Ulm", "Bonn", "Ulm", "?"])


@operation
def concat():
    same(pandas.concat([sales(), sales()], ignore_index=True).index, range(8))


@operation
def pivot_table():
    found = sales().pivot_table(index="shop", values="amount", aggfunc="sum")
    same(found["amount"], [4.0, 2.0, 4.0])


@operation
def melt():
    assert sales().melt(id_vars="shop", value_vars=["amount", "count"]).shape == (8, 3)


@operation
def stack_and_unstack():
    frame = sales()[["amount", "count"]]
    same(frame.stack().unstack()["amount"], frame["amount"])


@operation
def missing_values():
    frame = sales()
    frame.loc[1, "amount"] = numpy.nan
    same(frame["amount"].fillna(0.0), [1.0, 0.0, 3.0, 4.0])
    assert len(frame.dropna()) == 3


@operation
def value_counts():
    assert sales()["shop"].value_counts()["a"] == 2


@operation
def categories():
    same(sales()["shop"].astype("category").cat.codes, [0, 1, 0, 2])


@operation
def dummies():
    same(pandas.get_dummies(sales()["shop"])["a"].astype(int), [1, 0, 1, 0])


@operation
def dates():
    same(sales()["day"].dt.dayofweek, [5, 6, 0, 1])


@operation
def resample():
    same(sales().set_index("day")["amount"].resample("2D").sum(), [3.0, 7.0])


@operation
def rolling():
    same(sales()["amount"].rolling(2).mean().dropna(), [1.5, 2.5, 3.5])


@operation
def reindex():
    same(sales()["count"].reindex([3, 4], fill_value=0), [4, 0])


@operation
def apply():
    same(sales().apply(lambda row: row["amount"] + row["count"], axis=1), [2.0, 4.0, 6.0, 8.0])


@operation
def csv():
    text = sales().to_csv(index=False)
    same(pandas.read_csv(io.StringIO(text), parse_dates=["day"])["day"], sales()["day"])


@operation
def json_and_pickle():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sales.json")
        path.write_text(sales().to_json(orient="records"))
        same(pandas.read_json(str(path), orient="records")["amount"], [1.0, 2.0, 3.0, 4.0])
    same(pickle.loads(pickle.dumps(sales()))["count"], [1, 2, 3, 4])


def attempt(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - any error is the outcome
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({function.__name__: attempt(function) for function in OPERATIONS}))
