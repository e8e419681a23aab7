"""A small matrix, an index on this machine with two releases of everything, and a checkout with the older locks."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from tiny_package import TinyPackage

from tests.conftest import Checkout
from tests.pipeline.local_index import LocalIndex, Release
from tests.pipeline.test_impossible_cells import bootstrap

MATRIX = f"""\
# A comment.
project:
  namespace: azureml
  vendor: someone
  exclude-newer: 2026-11-02   # the day of the locks
  update: {{rule: minor, cool-down: 7}}
  uv: "0.13.9"
server: {{title: Server, contract: [tinyserver==1.0.0]}}
axes: {{base: [debian12-py311, debian13-py313], device: [cpu]}}
bases:
  debian12-py311:
    {{title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {bootstrap("debian12-py311")}}}
  debian13-py313:
    {{title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {bootstrap("debian13-py313")}}}
frameworks:
  demo:
    title: Demo
    versions:
      "1.0":
        contract:
          - 'demo==1.0.0'   # quoted

          - tinylib>=1
  other:
    title: Other
    versions:
      "2": {{contract: [other==2.0.0]}}
  stays:
    title: Stays
    update: {{rule: held, reason: users count on this release}}
    versions:
      "3": {{bases: [debian13-py313], contract: [stays==3.0.0]}}
"""
OLD, NEW = "2026-11-01", "2026-11-10"
DAY = "2026-11-20"
DEMO12, DEMO13 = "demo-1.0-debian12-py311-cpu-inference", "demo-1.0-debian13-py313-cpu-inference"
FRESH = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).date().isoformat()
PY313 = "cp313-cp313-manylinux_2_28_x86_64"


def release(
    name: str, version: str, uploaded: str, *requires: str, yanked: str | None = None, tag: str = "py3-none-any"
) -> Release:
    package = TinyPackage(name=name, version=version, requires=requires, tag=tag)
    return Release(package=package, uploaded=uploaded, yanked=yanked)


RELEASES = [
    release("uv", "0.13.9", OLD),
    release("tinyserver", "1.0.0", OLD),
    release("tinylib", "1.0", OLD),
    release("demo", "1.0.0", OLD),
    release("other", "2.0.0", OLD),
    release("stays", "3.0.0", OLD),
    release("tinyserver", "1.0.1", NEW),
    release("tinyserver", "1.1.0", NEW),
    release("tinylib", "1.1", NEW),
    release("demo", "1.0.1", NEW),
    release("demo", "1.0.2", NEW, tag=PY313),
    release("demo", "1.0.3", NEW, yanked="it deletes files"),
    release("stays", "3.0.1", NEW),
]


CONFLICT = release("other", "2.0.1", NEW, "tinylib>=2")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A checkout with locks of an earlier day."""

    checkout: Checkout
    index: LocalIndex

    def content(self) -> dict[str, bytes]:
        root = self.checkout.root
        state = root / ".pipeline"
        files = [file for file in root.rglob("*") if file.is_file() and not file.is_relative_to(state)]
        return {str(file.relative_to(root)): file.read_bytes() for file in files if file.suffix != ".pyc"}
