"""The kinds of values in ``matrix.yaml``: requirements, names, versions, dates.  Pure."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement
from pydantic import AfterValidator, BeforeValidator, Field

from build import requirements

#: The version key of a framework that has none; it is left out of the image name.
NO_VERSION = "n/a"

NAME = r"^[a-z0-9][a-z0-9.-]*$"
#: As PEP 440 has them, without an epoch and a local version: they are compared, and written into requirements.
_NUMBERS = r"[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?"
_VERSION = rf"^{_NUMBERS}$"
_VERSION_KEY = rf"^({re.escape(NO_VERSION)}|{_NUMBERS})$"
_CUDA_NAME = r"^cuda[0-9]+\.[0-9]+(\.[0-9]+)?$"
_PYTHON = r"^3\.[0-9]+$"
_GLIBC = r"^2\.[0-9]+$"
_PATCH_VERSION = r"^3\.[0-9]+\.[0-9]+$"
_REFERENCE = r"^[^\s@]+(@sha256:[0-9a-f]{64})?$"
_DISTRIBUTION = rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=={_NUMBERS}(\+[a-z0-9]+([._-][a-z0-9]+)*)?$"
#: https://www.debian.org/doc/debian-policy/ch-controlfields.html#source; apt takes an architecture and a version too.
_DEBIAN = r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[0-9A-Za-z.+:~-]+)?$"
_INDEX = r"^(https?|file)://\S+$"
#: As nvcc names them: https://docs.nvidia.com/cuda/cuda-compiler-driver-nvcc/index.html#gpu-feature-list
_ARCHITECTURE = r"^(sm|compute)_[0-9]{2,3}[af]?$"
_SNAPSHOT = r"^(https?|file)://[^\s\[\]]*\{time\}[^\s\[\]]*$"
_REGISTRY = r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5})(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"

#: Each pattern in words: "write …".
PATTERNS = {
    NAME: "lower-case letters, digits, '.' and '-', a letter or digit first",
    _VERSION: "a version: '1.9', '12.5.1'",
    _VERSION_KEY: f"a version: '1.9', '12.5.1'; or {NO_VERSION} for a framework without versions",
    _CUDA_NAME: "'cuda' and two or three numbers, as in image names: cuda13.0, cuda13.0.3",
    _PYTHON: "Python's minor version: '3.11'",
    _GLIBC: "glibc's version: '2.36'",
    _PATCH_VERSION: "Python's full version: '3.12.1'",
    _REFERENCE: "a reference, with its digest where it is known: registry/name:tag@sha256:<64 hexadecimal digits>",
    _DISTRIBUTION: "a distribution and its exact version: 'pandas==0.25.1'",
    _DEBIAN: "one package of the distribution's archive: 'libgomp1', 'libssl3=3.0.15-1'",
    _INDEX: "a URL: https://…, http://… or file://…",
    _ARCHITECTURE: "a GPU architecture: sm_80 (machine code), compute_90 (PTX)",
    _SNAPSHOT: "an address with {time}: https://…/{archive}/{time}",
    _REGISTRY: "host[:port][/namespace], without a scheme: registry.example.com/acme",
}


def _requirement(text: str) -> str:
    """Reject what is not a requirement (PEP 508) here and not in the middle of a build."""
    try:
        requirements.parse(text)
    except InvalidRequirement as error:
        hint = ""
        if re.search(r"~=\s*[0-9.]+\.[x*]", text):
            hint = " (write '~=1.1.0' for 'the newest 1.1.z'; '~=1.1.x' is not a valid specifier)"
        # The further lines of packaging's message draw an arrow below the text.
        reason = str(error).splitlines()[0]
        raise ValueError(f"'{text}' is not a valid requirement (PEP 508){hint}: {reason}") from error
    return text


def _date(value: object) -> object:
    """Accept a quoted date as well: YAML 1.2, which editors follow, has no dates, and the schema allows text."""
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{value}' is not a date; write it as 2026-11-19") from None
    return value


#: The format that the schema gives requirements; editors ignore it, docs/matrix.md names it.
PEP_508 = "pep508"
RequirementText = Annotated[str, AfterValidator(_requirement), Field(json_schema_extra={"format": PEP_508})]
Name = Annotated[str, Field(pattern=NAME)]
#: A version as text: '1.10' and not 1.10, which YAML reads as the number 1.1.
VersionText = Annotated[str, Field(pattern=_VERSION)]
VersionKey = Annotated[str, Field(pattern=_VERSION_KEY)]
#: A CUDA version as image names write it.
CudaName = Annotated[str, Field(pattern=_CUDA_NAME)]
Date = Annotated[datetime.date, BeforeValidator(_date)]
#: A package that apt installs; it becomes a word of a shell command.
DebianName = Annotated[str, Field(pattern=_DEBIAN)]
Python = Annotated[str, Field(pattern=_PYTHON)]
Glibc = Annotated[str, Field(pattern=_GLIBC)]
FullVersion = Annotated[str, Field(pattern=_PATCH_VERSION)]
#: An image: ``ubuntu:18.04@sha256:…``.
Reference = Annotated[str, Field(pattern=_REFERENCE)]
#: ``pandas==0.25.1``.
Distribution = Annotated[str, Field(pattern=_DISTRIBUTION)]
#: ``sm_80``, ``compute_90``.
Architecture = Annotated[str, Field(pattern=_ARCHITECTURE)]
Index = Annotated[str, Field(pattern=_INDEX)]
SnapshotUrl = Annotated[str, Field(pattern=_SNAPSHOT)]
Registry = Annotated[str, Field(pattern=_REGISTRY)]
#: How layers are compressed.
Compression = Literal["gzip", "zstd"]
#: Why something is as it is; at least a few words.
Reason = Annotated[str, Field(min_length=10)]
