"""Builders for tests: the BuildKit of an engine behind a socket of its own, as a builder without an image store.

dockerd serves BuildKit's API at its endpoint ``/grpc``, as a protocol to upgrade to (``h2c``). buildx's driver
``remote`` wants a plain socket, so a relay asks for the upgrade and passes everything on. For this project it is like
any builder that is no engine: buildx finds no image store behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker

from build.engine.buildx import find_buildx

_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


@dataclass(eq=False)
class Relay:
    """Accepts connections at a socket, and passes them on to an engine's."""

    #: The engine's address: ``unix://…``.
    host: str
    path: Path
    #: Sent to the engine first; its answer, up to the end of the headers, is not passed on.
    greeting: bytes = b""
    #: The number of connections so far.
    accepted: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(64)
        self._open.append(listener)
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def stop(self) -> None:
        """Break all connections and accept no more, as a builder that is killed."""
        self.path.unlink(missing_ok=True)
        while self._open:
            each = self._open.pop()
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.accepted += 1
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(self.host.removeprefix("unix://"))
        self._open += [client, engine]
        if self.greeting:
            engine.sendall(self.greeting)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += engine.recv(1)
            assert answer.startswith(b"HTTP/1.1 101 "), answer
        threading.Thread(target=_copy, args=[client, engine], daemon=True).start()
        _copy(engine, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(1 << 16):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relayed(host: str, folder: Path, *, greeting: bytes = b"") -> Iterator[Relay]:
    """Relay a socket in a folder to an engine."""
    relay = Relay(host, folder / "relay.sock", greeting)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


@dataclass(frozen=True, kw_only=True)
class RemoteBuilder:
    """A builder of the driver ``remote``."""

    name: str
    #: The variables with which buildx knows it.
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RelayedBuilder(RemoteBuilder):
    """The BuildKit of an engine."""

    relay: Relay


@contextlib.contextmanager
def remote_builder(host: str, folder: Path) -> Iterator[RelayedBuilder]:
    """The BuildKit of an engine as a builder without an image store.

    Args:
        host: The engine's address.
        folder: For its socket, and for what buildx notes: a short path.
    """
    with relayed(host, folder, greeting=_UPGRADE) as relay:
        environment = {"BUILDX_CONFIG": str(folder / "buildx")}
        create(environment, "far", f"unix://{relay.path}")
        yield RelayedBuilder(name="far", environment=environment, relay=relay)


def create(environment: Mapping[str, str], name: str, address: str) -> None:
    """Make a builder of the driver ``remote``."""
    command = [*find_buildx().command, "create", "--name", name, "--driver", "remote", address]
    subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)


def docker_context(folder: Path, name: str, host: str) -> dict[str, str]:
    """Make a Docker context in a configuration of its own; return the variables with which Docker knows it."""
    config = folder / "docker"
    place = config / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}})
    )
    (config / "config.json").write_text("{}")
    plugins = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    if plugins.is_dir():
        shutil.copytree(plugins, config / "cli-plugins", symlinks=True)
    return {"DOCKER_CONFIG": str(config)}


@contextlib.contextmanager
def container_builder(client: docker.DockerClient, folder: Path) -> Iterator[RemoteBuilder]:
    """A builder of the driver ``docker-container``: this machine's buildkitd, buildctl and runc in a container.

    It is in the network of the engine's machine: a registry at 127.0.0.1 is one for it, too.

    Args:
        client: The engine that runs the container.
        folder: For what buildx notes.
    """
    name = f"box-{uuid.uuid4().hex[:8]}"
    repository, image = "test-buildkit", f"test-buildkit:{name}"
    changes = ['ENTRYPOINT ["buildkitd"]', "ENV PATH=/usr/bin"]
    programs = _programs("buildkitd", "buildctl", "runc")
    client.api.import_image_from_data(programs, repository, name, changes)
    environment = {"BUILDX_CONFIG": str(folder / "buildx")}
    options = ["--driver", "docker-container", "--driver-opt", f"image={image},network=host"]
    buildx = find_buildx().command
    everything = {**os.environ, **environment}
    try:
        subprocess.run([*buildx, "create", "--name", name, *options], env=everything, capture_output=True, check=True)
        yield RemoteBuilder(name=name, environment=environment)
    finally:
        subprocess.run([*buildx, "rm", "--force", name], env=everything, capture_output=True, check=False)
        client.images.remove(image, force=True)


def _programs(*names: str) -> bytes:
    """Return a tar with programs in /usr/bin, the libraries that they need, and a folder for temporary files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
            assert program is not None, f"{name} is not installed"
            tar.add(os.path.realpath(program), f"usr/bin/{name}")
            linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
            for library in re.findall(r"(/\S+) \(0x", linked):
                tar.add(os.path.realpath(library), library.lstrip("/"))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return buffer.getvalue()
