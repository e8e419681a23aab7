"""A running container of an image, through the docker command (which supports contexts, TLS and ssh hosts)."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

#: The scripts that run inside containers.
INSIDE = Path(__file__).parent / "inside"
PORT = "5001/tcp"
APP_ROOT = "/var/azureml-app"
#: Where the files of the start layer are (``image/scripts/setup-base``): modules, and programs.
LIBRARY, PROGRAMS = "/usr/local/lib/inference-server", "/usr/local/bin"
START_PROGRAMS = ("start-server", "runsvdir")
#: dockeruser, the owner of the files that are copied in.
UID = 1000
#: Seconds until a server must answer: TensorFlow's import takes long on a small busy machine.
START_TIMEOUT = 300.0
#: Seconds between two questions whether a server answers, and whether its container still runs.
POLL, LOOK = 0.05, 1.0


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    """Run a docker command.

    Returns:
        Its standard output.

    Raises:
        AssertionError: It failed. The message is its error output.
    """
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode:
        output = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
        raise AssertionError(f"docker {arguments[0]}: {output or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")


def inspect_image(image: str) -> dict[str, Any]:
    """Return the engine's description of an image."""
    described: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]
    return described


def archive(files: dict[str, bytes]) -> bytes:
    """Return a tar archive of ``files`` (path → content), owned by dockeruser, for ``docker cp``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = len(content), UID, UID, 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Container:
    """A running container, with a scoring script in it and its port published."""

    id: str

    @classmethod
    def start(
        cls,
        image: str,
        *,
        files: dict[str, bytes],
        labels: dict[str, str],
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] = (),
    ) -> Container:
        """Start the image as a user does, with files copied in.

        They are copied, not mounted: the engine may be on another machine.

        Args:
            image: Its reference or digest.
            files: Path below the app root → content.
            labels: The container's labels.
            environment: Variables to set.
            options: More options of ``docker create`` (``--read-only``).
            command: The command to run instead of the image's own.
        """
        flags = [f"--label={key}={value}" for key, value in labels.items()]
        flags += [f"--env={key}={value}" for key, value in (environment or {}).items()]
        published = f"{_bind_address()}::{PORT}"
        container = cls(id=docker("create", *flags, "--publish", published, *options, image, *command).strip())
        try:
            if files:
                docker("cp", "-", f"{container.id}:{APP_ROOT}", stdin=archive(files))
            docker("start", container.id)
        except AssertionError:
            container.remove()
            raise
        return container

    def remove(self) -> None:
        """Stop it at once and remove it with its volumes."""
        remove([self])

    def state(self) -> dict[str, Any]:
        """Return the engine's description of its state (``Running``, ``ExitCode``)."""
        state: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", self.id))
        return state

    def must_run(self) -> None:
        """Fail the test if it has ended; the message has its exit code, first error (the cause) and last lines."""
        state = self.state()
        if not state["Running"]:
            log = self.logs()
            errors = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*|^start-server: .*", log, re.MULTILINE)
            cause = f" ({errors[0]})" if errors else ""
            pytest.fail(f"the container ended with exit code {state['ExitCode']}{cause}\n{log}", pytrace=False)

    def logs(self, lines: int = 100) -> str:
        """Return the end of its output."""
        done = subprocess.run(
            ["docker", "logs", "--tail", str(lines), self.id],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, errors="replace",
        )  # fmt: skip
        return done.stdout

    def python(self, script: str, *arguments: str, user: str | None = None) -> Any:
        """Run one of our Python scripts in the container.

        Args:
            script: The name of a file in ``inside/``; it prints JSON.
            arguments: Its arguments.
            user: The user's number; by default the image's own user.

        Returns:
            The parsed output.
        """
        identity = [] if user is None else ["--user", user]
        source = (INSIDE / script).read_text(encoding="utf-8")
        try:
            return json.loads(docker("exec", *identity, self.id, "python", "-B", "-c", source, *arguments))
        except AssertionError:
            self.must_run()  # a better message, if the container has ended meanwhile
            raise

    def probe(self, questions: Mapping[str, Sequence[str]], *, user: str | None = None) -> Answers:
        """Ask several questions about the image with one call.

        Args:
            questions: Each question of ``inside/probe.py`` with its arguments.
            user: As for `python`.
        """
        return Answers(found=self.python("probe.py", json.dumps(questions), user=user))

    def ask(self, request: Any) -> Any:
        """Send a scoring request from inside the container, which may have no network.

        Args:
            request: The body of ``POST /score``, as JSON data.

        Returns:
            The parsed answer.

        Fails the test if the container ends, runs out of memory, does not answer in time, or answers with an error.
        """
        give_up = time.monotonic() + START_TIMEOUT
        while True:
            answer = self.python("ask_server.py", json.dumps(request))
            if answer is not None:
                if answer["status"] != 200:
                    message = f"POST /score → {answer['status']}: {answer['body'][:300]}\n{self.logs()}"
                    pytest.fail(message, pytrace=False)
                return json.loads(answer["body"])
            self.must_run()
            if self.state()["OOMKilled"]:
                pytest.fail(f"out of memory: the kernel killed a process\n{self.logs()}", pytrace=False)
            if time.monotonic() > give_up:
                pytest.fail(f"no answer to GET / in {START_TIMEOUT:.0f} s\n{self.logs()}", pytrace=False)

    def url(self) -> str:
        """Return the URL of its server, as seen from here."""
        address = docker("port", self.id, PORT).splitlines()[0]
        return f"http://{_engine_host()}:{address.rpartition(':')[2]}"

    def address(self) -> str:
        """Return its IP address, as seen from other containers of the engine."""
        return docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.id
        ).strip()

    def wait_until_it_answers(self) -> str:
        """Wait for the first answer to ``GET /``, with any status.

        Returns:
            The server's URL.

        Fails the test if the container ends or does not answer in time, with the end of its log.
        """
        give_up = time.monotonic() + START_TIMEOUT
        look, url = 0.0, ""
        while True:
            if time.monotonic() >= look:
                self.must_run()
                look = time.monotonic() + LOOK
            try:
                url = url or self.url()
                requests.get(url, timeout=5)
            except (requests.RequestException, AssertionError) as error:
                if time.monotonic() > give_up:
                    message = f"no answer to GET / in {START_TIMEOUT:.0f} s ({error})\n{self.logs()}"
                    pytest.fail(message, pytrace=False)
                time.sleep(POLL)
            else:
                return url


def remove(containers: Sequence[Container]) -> None:
    """Stop containers at once and remove them with their volumes, side by side."""
    if containers:
        docker("rm", "--force", "--volumes", *(each.id for each in containers))


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What ``inside/probe.py`` found."""

    found: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, question: str) -> Any:
        """Return the answer to a question; fail the test if the probe could not answer it."""
        answer = self.found[question]
        if "failure" in answer:
            trace = answer["failure"].rstrip()
            pytest.fail(f"{question}: {trace.splitlines()[-1]}\n{trace}", pytrace=False)
        return answer["answer"]


class Start(Protocol):
    """Starts another container, of the image or of ``reference``; it is removed after the module's tests."""

    def __call__(
        self,
        files: dict[str, bytes],
        *,
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] = (),
        reference: str | None = None,
    ) -> Container: ...


def _engine_host() -> str:
    """Return the machine on which the engine publishes ports."""
    endpoint = os.environ.get("DOCKER_HOST", "")
    return urllib.parse.urlsplit(endpoint).hostname or "127.0.0.1"


def _bind_address() -> str:
    """Return the address for published ports: the loopback, unless the engine is on another machine."""
    return "127.0.0.1" if _engine_host() in ("127.0.0.1", "localhost") else "0.0.0.0"
