"""What the platform gives a container (a user, CPUs, open files, IPv6), and files and variables that are wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from image_container import Container, Start
from scoring_scripts import Wanted, script, start_all, wait_for_end, wait_for_log

pytestmark = pytest.mark.depends("base")

#: An uid without an account.
UID = 12345
RUN = b"def init():\n    pass\n\n\ndef run(data):\n    return 1\n"
CONTAINERS = {
    "limited": Wanted(
        files={
            "main.py": script("environment.py"),
            "gunicorn.conf.py": b"daemon = True\n",
            "config.json": b'{"mine": 1}',
        },
        environment={"AML_SERVER_ROOT": "/var/azureml-server"},
        options=(f"--user={UID}:0", "--cpus=1", "--ulimit=nofile=1024:4096"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A container that cannot serve: its exit code, and what the last line of its log says."""

    wanted: Wanted
    code: int
    says: str


WRONG = {
    "config.json": Wrong(
        wanted=Wanted(files={"main.py": RUN, "config.json": b"[1, 2]"}),
        code=1,
        says="start-server: /var/azureml-app/config.json must be a JSON object",
    ),
    "a hook of gunicorn": Wrong(
        wanted=Wanted(
            files={"main.py": RUN, "gunicorn.conf.py": b"def on_starting(server):\n    raise ValueError('not today')\n"}
        ),
        code=1,
        says="start-server: gunicorn could not run with its settings: ValueError: not today",
    ),
    "too few processes": Wrong(
        wanted=Wanted(files={"main.py": RUN}, environment={"WORKER_COUNT": "20"}, options=("--pids-limit=50",)),
        code=1,
        says="start-server: WORKER_COUNT=20 needs 61 processes and threads",
    ),
    "conda": Wrong(
        wanted=Wanted(files={"main.py": RUN}, environment={"AZUREML_EXTRA_CONDA_YAML_ABS_PATH": "/model/conda.yaml"}),
        code=98,
        says="start-server: AZUREML_EXTRA_CONDA_YAML_ABS_PATH needs conda",
    ),
}


@pytest.fixture(scope="module")
def wrong(start: Start) -> dict[str, Container]:
    """The containers that end when they start."""
    return start_all(start, {name: one.wanted for name, one in WRONG.items()})


@pytest.fixture(scope="module")
def limited(start: Start, wrong: dict[str, Container]) -> Container:
    """A container with less than the platform could give; it starts during the end of the others."""
    assert wrong
    return start_all(start, CONTAINERS)["limited"]


@pytest.fixture(scope="module")
def answers(limited: Container) -> dict[str, Any]:
    """Its answers through each of its loopback addresses."""
    limited.wait_until_it_answers()
    value: dict[str, Any] = limited.python("ask_addresses.py")
    return value


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_the_last_line(wrong: dict[str, Container], name: str) -> None:
    code = wait_for_end(wrong[name])
    log = wrong[name].logs()
    assert code == WRONG[name].code, f"exit code {code}, not {WRONG[name].code}\n{log}"
    last = log.rstrip().splitlines()[-1]
    assert WRONG[name].says in last, f"the log's last line does not say what is wrong: {last}"


def test_it_answers_on_ipv4_and_ipv6(answers: dict[str, Any]) -> None:
    """IPv6 is not in every engine's kernel; an address that the container has must answer."""
    assert "127.0.0.1" in answers
    refused = [address for address, answer in answers.items() if answer is None]
    assert not refused, f"no answer on {refused}"


def test_scripts_see_plain_addresses(limited: Container, answers: dict[str, Any]) -> None:
    """Not ``::ffff:127.0.0.1``, as the IPv6 socket gives it; neither does the log."""
    assert {address: answer["client"] for address, answer in answers.items()} == {
        address: address for address in answers
    }
    log = wait_for_log(limited, '"POST /score')
    assert " - 127.0.0.1 - " in log
    assert "::ffff:" not in log


def test_any_user_has_a_name_and_a_home(answers: dict[str, Any]) -> None:
    answer = answers["127.0.0.1"]
    assert answer["user"] == f"user{UID}"
    assert answer["home"].startswith("/tmp/home-"), answer["home"]


def test_the_limit_of_open_files_is_raised(answers: dict[str, Any]) -> None:
    assert answers["127.0.0.1"]["open files"] == [4096, 4096]


def test_thread_pools_have_the_cpu_quota(answers: dict[str, Any]) -> None:
    answer = answers["127.0.0.1"]
    expected = "1" if answer["cpus"] > 1 else None  # with one CPU the quota changes nothing
    assert answer["threads"] == expected


@pytest.mark.parametrize(
    "line",
    [
        "start-server: /var/azureml-app/gunicorn.conf.py: daemon = True is ignored: the container would end",
        "start-server: /var/azureml-app/config.json: the server ignores these keys: mine",
        "start-server: ignored: AML_SERVER_ROOT=/var/azureml-server has no effect",
    ],
)
def test_what_is_ignored_is_in_the_log(limited: Container, answers: dict[str, Any], line: str) -> None:
    assert answers
    wait_for_log(limited, line)


# gunicorn's settings, by its own version: a gunicorn.conf.py, GUNICORN_CMD_ARGS, and the end of the message or a line

IGNORED = [
    ("daemon = True", "--daemon", "daemon = True is ignored: the container would end"),
    (
        "bind = '127.0.0.1:8080'",
        "--bind 127.0.0.1:8080",
        "is ignored: the server listens on port 5001 of all addresses",
    ),
    ("workers = 4", "--workers 4", "workers = 4 is ignored: set WORKER_COUNT"),
    ("timeout = 1", "--timeout 1", "timeout = 1 is ignored: set WORKER_TIMEOUT"),
    ("worker_class = 'gevent'", "-k gevent", "worker_class = 'gevent' is ignored: the image has its own worker"),
    ("reload = True", "--reload", "reload = True is ignored: it is for development; restart the container instead"),
    ("pidfile = '/proc/x'", "--pid /proc/x", "pidfile = '/proc/x' is ignored: /proc is not a folder that is writable"),
    (
        "user = 'nobody'",
        "--user nobody",
        "user = 'nobody' is ignored: only root can change it, and the container's user",
    ),
    ("worker_tmp_dir = '/no'", "--worker-tmp-dir /no", "worker_tmp_dir = '/no' is ignored: /no is not a folder"),
]
MISTAKES = [
    ("keepalive = 'many'", "", "gunicorn.conf.py: keepalive = 'many' is not valid: "),
    ("", "--chdir /none", "GUNICORN_CMD_ARGS: chdir = '/none' is not valid: "),
    ("def post_fork(one): pass", "", "is not valid: Value must have an arity of: 2"),
    ("x(", "", "gunicorn.conf.py, gunicorn's configuration file, failed: see the traceback above"),
    ("raise SystemExit(0)", "", "gunicorn.conf.py, gunicorn's configuration file, failed: SystemExit(0)"),
    ("", "--config none.py", "GUNICORN_CMD_ARGS: none.py, gunicorn's configuration file, does not exist"),
    ("", "--workers x", "GUNICORN_CMD_ARGS='--workers x': argument -w/--workers: invalid"),
    ("", "--keep-alive '5", "No closing quotation"),
    ("", "--help", "GUNICORN_CMD_ARGS='--help': the container would end"),
    ("certfile = '/none'", "", "gunicorn's settings for TLS are not valid: "),
    (
        "logger_class = 'none.Logger'",
        "",
        "gunicorn could not run with its settings: RuntimeError: class uri 'none.Logger'",
    ),
]
#: Nothing is printed for these: they say what is so anyway.
HARMLESS = [
    ("daemon = False\nbind = '0.0.0.0:5001'\nworkers = 1\naccesslog = errorlog = '-'\nuser = None", "--timeout 300"),
]
USED = ("keepalive = 7", "--worker-connections 50", {"keepalive": 7, "worker_connections": 50})


@pytest.fixture(scope="module")
def loaded(container: Container) -> dict[tuple[str, str], dict[str, Any]]:
    """What loading each of the settings above prints and gives, from one call."""
    cases = [
        *((file, "") for file, _, _ in IGNORED),
        *(("", variable) for _, variable, _ in IGNORED),
        *((file, variable) for file, variable, _ in MISTAKES),
        *HARMLESS,
        USED[:2],
        ("", ""),
    ]
    results = container.python("load_settings.py", json.dumps(cases))
    return dict(zip(cases, results, strict=True))


@pytest.mark.parametrize(("file", "variable", "line"), IGNORED)
def test_settings_that_would_break_the_container_are_ignored(
    loaded: dict[tuple[str, str], dict[str, Any]], file: str, variable: str, line: str
) -> None:
    for case in ((file, ""), ("", variable)):
        result = loaded[case]
        source = f"{result['folder']}/gunicorn.conf.py" if file in case else "GUNICORN_CMD_ARGS"
        assert result["message"] is None, result["message"]
        assert result["printed"].startswith(f"start-server: {source}: "), result["printed"]
        assert line in result["printed"]
        assert result["printed"].count("\n") == 1
        assert result["settings"] == loaded["", ""]["settings"]


@pytest.mark.parametrize(("file", "variable", "says"), MISTAKES)
def test_mistakes_in_gunicorns_settings_are_explained(
    loaded: dict[tuple[str, str], dict[str, Any]], file: str, variable: str, says: str
) -> None:
    message = loaded[file, variable]["message"]
    assert says in (message or ""), message
    assert "\n" not in message


def test_other_settings_of_gunicorn_are_used(loaded: dict[tuple[str, str], dict[str, Any]]) -> None:
    own = loaded["", ""]["settings"]
    assert (own["keepalive"], own["worker_connections"]) == (75, 2000)
    assert loaded[USED[:2]] == {**loaded["", ""], "settings": {**own, **USED[2]}}
    for case in HARMLESS:
        assert loaded[case] == loaded["", ""]
