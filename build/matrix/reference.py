"""``docs/matrix.md``: every key of ``matrix.yaml``, from the models' descriptions, with examples.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from build.matrix import frameworks, model, sources, upkeep
from build.matrix.schema import schema
from build.matrix.values import NAME, PATTERNS, PEP_508

#: The models in the order of the page, each with an example: a valid value of that model, in YAML.
EXAMPLES: dict[type[BaseModel], str] = {
    model.Matrix: """\
project: {namespace: azureml, vendor: acme, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Scoring server, contract: [azureml-inference-server-http==1.5.1]}
axes: {base: [debian13-py313], device: [cpu]}
bases:
  debian13-py313:
    {title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {suite: trixie, packages: [python3]}}
frameworks:
  sklearn: {title: scikit-learn, versions: {"1.9": {contract: [scikit-learn==1.9.1]}}}
groups:
  default: ["*-cpu-*"]
""",
    model.Project: """\
namespace: azureml
vendor: acme
source: https://git.example/acme/images
registry: registry.example/acme
compression: {registry.example/for-old-clients: gzip}
exclude-newer: 2026-11-19
uv: "0.13.9"
update: {cool-down: 14}
layer-order: [numpy, pandas, scipy]
""",
    upkeep.UpdateDefaults: """\
rule: minor
cool-down: 7
overlap: 180
""",
    model.Server: """\
title: Azure Machine Learning inference HTTP server
contract:
  - azureml-inference-server-http==1.5.1; python_version >= '3.9'
  - azureml-inference-server-http==0.8.4.2; python_version < '3.9'
""",
    model.Axes: """\
base: [debian12-py311, debian13-py313]
device: [cpu, cuda13.0.3]
""",
    sources.Base: """\
title: Ubuntu 18.04
os: ubuntu18.04
python: "3.7"
glibc: "2.27"
image: ubuntu:18.04@sha256:152dc042452c496007f07ca9127571cb9c29697f42acbfad72324b2bb2e43c98
packages: [ca-certificates, libgomp1, python3.7, python3.7-venv]
lifecycle:
  released: 2018-04-26
  full-support: {until: 2023-05-31, source: "https://ubuntu.com/about/release-cycle"}
""",
    sources.Bootstrap: """\
suite: trixie
packages: [ca-certificates, libgomp1, passwd, python3, usr-is-merged]
""",
    sources.Snapshot: """\
url: https://snapshot.example/archive/{archive}/{time}
""",
    sources.Prefix: """\
version: "3.12.1"
directory: /opt/python-3.12
""",
    sources.Cuda: """\
version: "13.0.3"
cudnn: "9.12.0.46"
packages: ["cuda-toolkit[cublas,cudart]==13.0.3", nvidia-cudnn-cu13==9.12.0.46]
""",
    sources.WheelSource: """\
index: https://wheels.example/cpu
packages: [torch]
where-not-reached: default-index
""",
    frameworks.Framework: """\
title: scikit-learn
versions:
  "1.9":
    contract: [scikit-learn==1.9.1, numpy>=2.0]
""",
    frameworks.FrameworkVersion: """\
devices: [cpu, cuda13.0.3]
contract: [numpy>=2.0, pandas~=3.1]
cpu: {contract: [onnxruntime==1.31.1]}
gpu: {contract: [onnxruntime-gpu==1.31.1]}
lifecycle: {released: 2026-10-09}
""",
    frameworks.CpuPins: """\
contract: [torch==2.13.0+cpu]
wheel-source: pytorch-cpu
""",
    frameworks.GpuPins: """\
contract: [tensorflow==2.21.0]
cuda-packages: ["cuda-toolkit[cudart]==13.0.3"]
reach: [sm_80, sm_90, compute_90]
""",
    upkeep.Update: """\
rule: held
reason: 1.15.4 and newer require numpy before 1.19
""",
    frameworks.Guard: """\
pin: protobuf<3.21
reason: its generated code is older than 3.19, and protobuf 4 refuses to import it
""",
    upkeep.Lifecycle: """\
released: 2026-06-02
deprecated: 2027-06-01
full-support: {until: 2028-06-01, source: "https://framework.example/releases"}
lts: {until: 2029-06-01, source: the announcement of release 3.0}
""",
    upkeep.Support: """\
until: 2028-06-30
source: https://wiki.debian.org/LTS
""",
    model.Cell: """\
framework: sklearn
version: "1.9"
base: debian12-py312
device: cpu
""",
    model.Exclusion: """\
framework: xgboost
version: "3.4"
base: debian12-py311
reason: xgboost-cpu 3.4 needs Python 3.12 or newer
""",
    model.Patch: """\
distribution: pandas==0.25.1
file: pandas/core/dtypes/cast.py
find: "if not isinstance(dtype, (np.dtype, type(np.dtype))):"
replace: "if not isinstance(dtype, (np.dtype, type(np.dtype), type)):"
reason: describe() fails, since numpy 1.20 gave dtypes classes of their own
""",
}

_TITLES: dict[type[BaseModel], str] = {
    model.Matrix: "The top level",
    upkeep.UpdateDefaults: "Defaults of update",
    sources.Base: "A base",
    sources.Bootstrap: "bootstrap",
    sources.Snapshot: "snapshot",
    sources.Prefix: "prefix",
    sources.Cuda: "A CUDA version",
    sources.WheelSource: "A wheel source",
    frameworks.Framework: "A framework",
    frameworks.FrameworkVersion: "A framework version",
    frameworks.CpuPins: "cpu",
    frameworks.GpuPins: "gpu",
    frameworks.Guard: "A guard",
    upkeep.Support: "full-support and lts",
    model.Cell: "An item of include",
    model.Exclusion: "An item of exclude",
    model.Patch: "A patch",
}


def reference_text() -> str:
    """Return the content of ``docs/matrix.md``."""
    document = schema()
    sections = [_section(model, document) for model in EXAMPLES]
    return (
        "<!-- Generated from the models in build/matrix by `nox -s generate`; do not edit. -->\n\n"
        "# matrix.yaml\n\n"
        "All keys, with their types and meanings. `nox -s check` validates the file, and so do editors that use\n"
        '`matrix.schema.json`, while you type. Unknown keys are errors. Quote versions (`"1.10"`): without quotes,\n'
        "YAML reads 1.10 as the number 1.1.\n\n" + "\n".join(sections)
    )


def _title(section: type[BaseModel]) -> str:
    return _TITLES.get(section, section.__name__.lower())


def _section(section: type[BaseModel], document: Mapping[str, Any]) -> str:
    described = document if section is model.Matrix else document["$defs"][section.__name__]
    required = described.get("required", [])
    lines = [f"## {_title(section)}", "", " ".join(described["description"].split()), ""]
    lines += ["| Key | Value | Default | Meaning |", "|---|---|---|---|"]
    for key, value in described["properties"].items():
        default = "**required**" if key in required else _default(section, key)
        cells = [f"`{key}`", "; ".join(_value(value, document)), default, _meaning(value, document)]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, "", "```yaml", EXAMPLES[section].rstrip("\n"), "```", ""])


def _meaning(value: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return the description of a key; pydantic leaves it out where it is that of the key's model."""
    if "$ref" in value and "description" not in value:
        value = document["$defs"][value["$ref"].rpartition("/")[2]]
    return " ".join(value.get("description", "").split())


def _default(section: type[BaseModel], key: str) -> str:
    """Return the default of a key; an empty cell for nothing, an empty list or an empty mapping."""
    info = next(info for name, info in section.model_fields.items() if (info.alias or name) == key)
    default = info.get_default(call_default_factory=True, validated_data={})
    return f"`{default}`" if isinstance(default, str | int) else ""


def _value(value: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the kind of a value, and what restricts it."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        title = _title(next(section for section in EXAMPLES if section.__name__ == name))
        yield f"[{title[0].lower()}{title[1:]}](#{title.lower().replace(' ', '-')})"
    elif "enum" in value or "const" in value:
        yield " or ".join(f"`{item}`" for item in value.get("enum", [value.get("const")]))
    elif value["type"] == "array":
        yield "list of: " + "; ".join(_value(value["items"], document))
        if value.get("minItems"):
            yield "not empty"
    elif value["type"] == "object":
        (pattern, item), *_ = value["patternProperties"].items()
        yield f"mapping: {_words(pattern)} → {'; '.join(_value(item, document))}"
        if value.get("minProperties"):
            yield "not empty"
    elif "pattern" in value:
        yield _words(value["pattern"])
    elif value.get("format") == PEP_508:
        yield "requirement (PEP 508)"
    elif value.get("format") == "date":
        yield "date: `2026-11-19`"
    else:
        yield {"string": "text", "integer": "whole number"}.get(value["type"], json.dumps(value["type"]))
        if value.get("minLength"):
            yield f"at least {value['minLength']} characters" if value["minLength"] > 1 else "not empty"


def _words(pattern: str) -> str:
    return "name" if pattern == NAME else PATTERNS[pattern]
