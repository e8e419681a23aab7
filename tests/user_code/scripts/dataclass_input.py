"""A dataclass for the input, with annotations that are not evaluated."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass
class Patient:
    age: int
    names: list[str] = field(default_factory=list)


def init():
    pass


def run(data):
    return asdict(Patient(**json.loads(data)))
