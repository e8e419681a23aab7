"""The scoring scripts in `scripts/`: their requests, and what must happen."""

from __future__ import annotations

import base64
import struct
import zlib

from tests.user_code.case import JSON, Request, Score

#: `__main__.Scaler` with `factor = 3`, as `pickle` writes it (protocol 2).
SCALER = b"\x80\x02c__main__\nScaler\n)\x81}X\x06\x00\x00\x00factorK\x03sb."
MODEL = "/var/azureml-app/azureml-models/my-model/1"
MODULES = ("config", "exceptions", "routes", "settings", "worker")
FEATURES = "def square(x):\n    return x * x\n"
READ_ONLY = ("--read-only", "--tmpfs=/tmp", "--volume=/var/azureml-app")
FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
FIFTY_MB = 50_000_000


def how(what: str, answer: object, *, status: int = 200, times: int = 1) -> Request:
    """Return a request to a script that does several things."""
    return Request(body={"how": what}, answer=answer, status=status, times=times)


def fails(what: str) -> Request:
    """Return such a request for which the script fails."""
    return how(what, {"message": FAILED}, status=500)


def png(width: int = 8, height: int = 4) -> bytes:
    """Return a black image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + bytes(3 * width)) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


FORM = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + png() + b"\r\n--x--\r\n"

SCORES = (
    # Models and data
    Score(
        script="sklearn_model.py",
        needs=frozenset({"scikit-learn"}),
        made={"azureml-models/my-model/1/model/sklearn_regression_model.pkl": "regression.py"},
        environment={"AZUREML_MODEL_DIR": MODEL},
        requests=[
            Request(body={"data": [[3.0]]}, check=lambda body: body.startswith((b"[6.0", b"[5.9999"))),
            Request(body={"rows": []}, answer={"error": "'data'"}),
        ],
    ),
    Score(
        script="notebook_pickle.py",
        files={"azureml-models/my-model/1/outputs/model.pkl": SCALER},
        environment={"AZUREML_MODEL_DIR": MODEL},
        requests=[Request(body={"data": [1, 2]}, answer=[3, 6])],
    ),
    Score(
        script="notebook_pickle_without_class.py",
        files={"azureml-models/my-model/1/model.pkl": SCALER},
        environment={"AZUREML_MODEL_DIR": MODEL},
        exit_code=3,
        log=["AttributeError: Can't get attribute 'Scaler' on <module '__main__'"],
    ),
    Score(
        script="data_folders.py",
        files={
            "data/labels.txt": "cat dog größer\n",
            "data/settings.json": '{"index": 2}',
            "mypackage/__init__.py": "",
            "mypackage/preprocessing.py": "def clean(text):\n    return text.strip().lower()\n",
            "mypackage/words.txt": "a b\n",
        },
        requests=[
            Request(body={"text": " Hi "}, answer={"label": "größer", "clean": "hi", "package data": ["a", "b"]})
        ],
    ),
    Score(
        script="script_in_subfolder.py",
        entry="src/score.py",
        files={"src/features.py": FEATURES},
        requests=[Request(body={}, answer=[9, "/var/azureml-app"])],
    ),
    Score(
        script="script_in_subfolder_plain.py",
        entry="src/score.py",
        files={"src/features.py": FEATURES},
        exit_code=3,
        log=["ModuleNotFoundError: No module named 'features'"],
    ),
    Score(script="azureml_sdk.py", exit_code=3, log=["ModuleNotFoundError: No module named 'azureml"]),
    Score(
        script="changes_folder.py",
        files={"labels.txt": "a b\n"},
        requests=[Request(body={}, answer={"labels": ["a", "b"], "folder": "/"}, times=3)],
    ),
    Score(
        script="environment_variables.py",
        environment={"THRESHOLD": "0.5", "EMPTY": "", "AZUREML_MODEL_DIR": "/no/such/folder"},
        requests=[Request(body={}, answer=[0.5, "false", "/no/such/folder", ""])],
    ),
    Score(
        script="temporary_files.py",
        options=READ_ONLY,
        requests=[Request(body="x", answer=['"x"', 1, "written"]), Request(body="y", answer=['"y"', 2, "written"])],
    ),
    Score(
        script="sqlite_connection.py",
        requests=[Request(body={"name": "Bonn"}, answer=[330000, "the model of this thread"], times=5)],
    ),
    Score(script="dataclass_input.py", requests=[Request(body={"age": 4}, answer={"age": 4, "names": []})]),
    Score(script="lazy_model.py", requests=[Request(body={}, answer=1, times=8)]),
    Score(script="method_as_run.py", requests=[Request(body=1.26, answer=2.5)]),
    Score(
        script="module_names.py",
        in_ci=True,
        files={
            **{f"{name}.py": "NAME = __name__\n" for name in MODULES},
            "utils/__init__.py": "",
            "utils/helpers.py": "NAME = __name__\n",
        },
        requests=[Request(body={}, answer=[*MODULES, "utils.helpers"])],
    ),
    Score(
        script="run_without_input.py",
        exit_code=3,
        log=["UserScriptError: run() needs to accept an argument for input data."],
    ),
    Score(script="command_line.py", exit_code=3, log=["unrecognized arguments", "SystemExit: 2"]),
    Score(script="exits_in_init.py", exit_code=3, log=["SystemExit: no model was found"]),
    Score(script="no_init.py", exit_code=3, log=["does not have a init() function defined."]),
    # Processes and threads
    Score(
        script="process_pools.py",
        files={"features.py": FEATURES},
        requests=[
            how("terminate", -15),
            how("pool", [0, 1, 4, 9, 16]),
            how("executor", [0, 1, 4, 9, 16]),
            how("spawn", [0, 1, 4, 9, 16]),
            how("queue", [[0, 1, 4], [0, 0, 0]]),
            how("pool", [0, 1, 4, 9, 16], times=4),
        ],
        in_ci=True,
    ),
    Score(script="own_function_in_pool.py", requests=[Request(body=[1, 2, 3], answer=[1, 4, 9], times=3)]),
    Score(
        script="subprocess_calls.py",
        requests=[
            how("output", "hello world"),
            how("exit code", 7),
            how("timeout", "timed out: sleep"),
            how("terminate", -15),
            how("background", "started"),
            how("orphan", 0),
            how("rest", {}),
            how("output", "hello world", times=4),
        ],
        in_ci=True,
    ),
    Score(script="fork.py", requests=[Request(body={}, answer={"text": "from the child", "exit": 7}, times=5)]),
    Score(
        script="asyncio_run.py",
        requests=[
            how("run", [2, 4, 6], times=3),
            how("own loop", [2, 4, 6]),
            how("loop in a thread", [2, 4, 6]),
            how("client", "Healthy"),
            how("command", ["from a command", 0]),
        ],
        in_ci=True,
    ),
    Score(
        script="asyncio_signals.py",
        requests=[how("run", "done", times=3), Request(body={"how": "stream"}, raw="parts done")],
        in_ci=True,
    ),
    Score(
        script="async_def_run.py",
        requests=[Request(body={}, status=500, answer={"message": INTERNAL})],
        log=["Object of type coroutine is not JSON serializable"],
    ),
    Score(
        script="joblib_model.py",
        needs=frozenset({"joblib"}),
        requests=[
            Request(body={"prefer": "threads", "xs": [1, 2]}, answer=[3, 6]),
            Request(body={"prefer": "processes", "xs": [1, 2]}, answer=[3, 6]),
            Request(body={"prefer": "processes", "xs": [4, 5]}, answer=[12, 15], times=3),
        ],
    ),
    Score(
        script="torch_loader.py",
        needs=frozenset({"torch"}),
        requests=[
            Request(body={"rows": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "workers": 0}, answer=[3.0, 7.0, 11.0]),
            Request(body={"rows": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "workers": 2}, answer=[3.0, 7.0, 11.0]),
        ],
    ),
    Score(
        script="thread_pool.py",
        requests=[Request(body={"seconds": 0}, answer=0, times=5), Request(body={"seconds": 0.6}, answer="gave up")],
    ),
    Score(script="background_refresh.py", requests=[Request(body={}, answer=True, times=2)]),
    Score(
        script="signal_handlers.py",
        requests=[Request(body={"seconds": 0}, answer="in time"), Request(body={"seconds": 5}, answer="too slow")],
    ),
    # Other servers
    Score(
        script="asks_itself.py",
        requests=[
            Request(body={"path": "/"}, answer="Healthy"),
            # run() is called by one request at a time: it cannot wait for another call of itself.
            Request(body={"path": "/score"}, answer="TimeoutError"),
        ],
    ),
    Score(
        script="fastapi_beside.py",
        adds=["fastapi", "uvicorn"],
        files={
            "api.py": "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n"
            '@app.get("/health")\ndef health():\n    return "ok"\n\n\n'
            '@app.get("/double/{x}")\ndef double(x: int):\n    return {"doubled": 2 * x}\n'
        },
        requests=[Request(body={}, answer={"doubled": 42}, times=3)],
    ),
    Score(script="socket_timeout.py", requests=[Request(body={"x": 1}, answer=8, times=3)]),
    # Log and standard output
    Score(
        script="print_flood.py",
        requests=[Request(body={}, answer="done", times=2)],
        log=["loading", "100 %", "printed 10 MB"],
    ),
    Score(
        script="logging_basic_config.py",
        requests=[Request(body={}, answer="logged")],
        log=["INFO:root:init is complete", "INFO:my_model:request received", "ZeroDivisionError: division by zero"],
        not_in_log=["not to be seen"],
    ),
    Score(
        script="logging_dict_config.py",
        requests=[
            Request(body={}, answer="logged"),
            Request(body={"wrong": 1}, status=500, answer={"message": FAILED}),
        ],
        log=["my format: from init", "my format: from run", "azmlinfsrv.print - printed", "ValueError: the reason"],
    ),
    Score(
        script="logging_dict_config_default.py",
        requests=[Request(body={}, status=500, answer={"message": FAILED})],
        log=["azmlinfsrv.print - printed", "ValueError: the reason"],
    ),
    Score(
        script="replaced_stdout.py",
        requests=[
            how("tee", "to both\n"),
            how("captured", "to the buffer"),
            how("closed", "closed"),
            how("nothing", "still here", times=2),
        ],
    ),
    Score(
        script="warnings_as_errors.py",
        requests=[Request(body={}, answer="caught: deprecated input")],
        log=["UserWarning: the model is old"],
    ),
    # Answers and errors
    Score(
        script="exits.py",
        requests=[
            fails("sys.exit"),
            fails("exit 0"),
            fails("interrupt"),
            how("nothing", "still here", times=3),
        ],
        log=["SystemExit: the model gave up", "KeyboardInterrupt"],
    ),
    Score(
        script="own_timeouts.py",
        environment={"SCORING_TIMEOUT_MS": "2000"},
        requests=[
            fails("socket"),
            fails("asyncio"),
            fails("thread"),
            fails("raised"),
            how("scoring", {"message": "Scoring timeout after 2000 ms"}, status=500),
            how("else", "in time"),
        ],
        log=["client.recv(1)", "TimeoutError: the database does not answer"],
    ),
    Score(
        script="chained_errors.py",
        requests=[
            Request(body={"broken": True}, status=500, answer={"message": FAILED}),
            Request(body={}, answer="fine"),
        ],
        log=["FileNotFoundError: no weights: größe.bin", "ModelError: the model cannot predict"],
    ),
    Score(
        script="large_answers.py",
        requests=[
            Request(body={"how": "text"}, check=lambda body: len(body) == FIFTY_MB + 2),
            Request(body={"how": "bytes"}, check=lambda body: len(body) == FIFTY_MB),
            Request(body={"how": "numbers"}, check=lambda body: len(body) > FIFTY_MB - 20),
        ],
    ),
    Score(
        script="streamed_answers.py",
        requests=[
            Request(body={"text": "one two"}, raw="data: one\n\ndata: two\n\n", times=3),
            Request(body={"how": "counted"}, raw="alone\n" * 5, times=3),
            Request(body={"how": "plain generator"}, status=500, answer={"message": INTERNAL}),
            Request(body={"how": "fails"}, cut=True),
            Request(body={"text": "three"}, raw="data: three\n\n"),
        ],
        log=["Object of type generator is not JSON serializable", "ValueError: the model stopped"],
    ),
    Score(
        script="own_headers.py",
        in_ci=True,
        kept_connection=True,
        requests=[
            Request(body={"how": "chunked by hand"}, raw="one two"),
            Request(body={"how": "text parts"}, raw="one größe"),
            Request(body={"how": "nothing"}, status=204, raw=""),
            how("else", "fine"),
            Request(body={"how": "wrong length"}, raw="0123"),
            how("else", "fine"),
            Request(body={"how": "umlaut"}, raw="x"),
            Request(body={"how": "status"}, status=418, raw="x"),
            Request(body={"how": "line end"}, status=500),
            how("else", "fine"),
            Request(body={"how": "chinese"}, status=500),
            Request(body={"how": "wrong status"}, status=500),
            Request(body={"how": "numbers as parts"}, cut=True),
            how("else", "fine"),
        ],
    ),
    Score(
        script="returned_types.py",
        requests=[
            how("text of JSON", '{"result": [1, 2]}'),
            how("nothing", {}),
            how("tuple", [1, "two"]),
            how("bytes", {"message": INTERNAL}, status=500),
            how("number", 0.1),
        ],
        log=["Object of type bytes is not JSON serializable"],
    ),
    Score(
        script="numpy_answers.py",
        needs=frozenset({"numpy"}),
        requests=[
            how("array", {"message": INTERNAL}, status=500),
            how("number", {"message": INTERNAL}, status=500),
            Request(body={"how": "nan"}, raw="[NaN, 1.0]"),
            how("lists", {"scores": [0, 1, 2], "best": 1}),
        ],
        log=["Object of type ndarray is not JSON serializable", "Object of type float32 is not JSON serializable"],
    ),
    # Requests
    Score(
        script="raw_images.py",
        requests=[
            Request(body=png(), headers={"Content-Type": "image/png"}, raw=png()),
            Request(body=b"GIF89a", headers={"Content-Type": "image/gif"}, status=415, raw="not a PNG"),
            Request(
                body=FORM, headers={"Content-Type": "multipart/form-data; boundary=x"}, answer={"image": len(png())}
            ),
            Request(method="GET", path="/score?name=gr%C3%B6%C3%9Fe", raw="name: größe"),
        ],
    ),
    Score(
        script="decorated_numpy.py",
        needs=frozenset({"numpy"}),
        requests=[
            Request(body={"data": [[1, 2, 3]], "factor": 3}, answer=[18.0]),
            Request(body={"data": [[1, 2, 3]]}, answer=[6.0]),
            Request(body={"rows": []}, status=400),
            Request(body=b"{", status=400),
            Request(body=b"data=1", headers={"Content-Type": "text/plain"}, status=415),
        ],
    ),
    Score(
        script="pandas_frame.py",
        needs=frozenset({"pandas"}),
        requests=[
            Request(
                body={"input_data": {"columns": ["a", "b"], "index": [0], "data": [[1.5, 2]]}},
                answer=[{"a": 1.5, "b": 2, "total": 3.5}],
            )
        ],
    ),
    Score(
        script="unicode_text.py",
        files={"größe.txt": ""},
        requests=[
            Request(
                body={"text": "größer 数据 🚀 \ud800"},
                answer={"text": "größer 数据 🚀 \ud800", "length": 13, "files": ["größe.txt"]},
            ),
            Request(body='{"text": "größer"}'.encode("latin-1"), status=400),
            Request(body='{"text": "größer"}'.encode(), answer={"text": "größer", "length": 6, "files": ["größe.txt"]}),
        ],
    ),
    Score(
        script="huge_json.py",
        requests=[
            Request(body=b"[" + b"0.12345," * 7_500_000 + b"0]", answer=7_500_001),
            Request(body=b"[" * 200_000 + b"]" * 200_000, status=500, answer={"message": FAILED}),
            Request(body=b"[1]", answer=1),
        ],
        log=["RecursionError"],
    ),
    Score(
        script="flask_request.py",
        requests=[
            Request(
                body={},
                headers={**JSON, "X-User": "me"},
                answer={"user": "me", "type": "application/json", "path": "/score"},
                times=3,
            )
        ],
    ),
    # Packages that users add
    Score(
        script="matplotlib_plot.py",
        adds=["matplotlib"],
        options=(*READ_ONLY, "--user=12345:0"),
        requests=[Request(body={}, check=lambda body: body.startswith(b"\x89PNG"))],
        log=["cache writable: True"],
    ),
    Score(
        script="opencv_image.py",
        adds=["opencv-python-headless"],
        requests=[
            Request(body={"image": base64.b64encode(png()).decode()}, answer={"shape": [2, 4, 3], "png": True}),
            Request(body={"image": "bm8="}, answer={"error": "not an image"}),
        ],
    ),
)
