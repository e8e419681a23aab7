"""Publishes images in a process of its own, to be killed: ``python publishing_process.py PORT RUN CLONE ITEMS``."""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from pathlib import Path

from build.engine.connect import connect
from build.engine.find import require
from build.errors import PipelineError
from build.publish import writes
from build.publish.origin import Origin
from build.publish.publication import Publication
from build.publish.publish import publish
from build.publish.release import Commit
from build.registry.address import Registry
from build.system import console

if __name__ == "__main__":
    port, run, clone, items = sys.argv[1:]
    writes.SETTLE = 0.05
    print("begins", flush=True)
    try:
        with contextlib.closing(connect(require())) as connection:
            results = publish(
                [Publication(**item) for item in json.loads(items)],
                Registry(host=f"127.0.0.1:{port}", insecure=True),
                connection.client,
                datetime.date(2026, 11, 24),
                origin=Origin(run=run, host="here", commit=Commit(), root=Path(), clone=clone),
            )
    except PipelineError as failure:
        console.error(failure)
        sys.exit(failure.exit_code)
    for result in results:
        print(result.pull, flush=True)
