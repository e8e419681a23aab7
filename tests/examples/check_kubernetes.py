"""Validates manifests strictly against Kubernetes' schemas; runs in an environment of its own (requirements.txt).

Usage: check_kubernetes.py MANIFEST VERSION…; fails at the first error.
"""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

for version in sys.argv[2:]:
    for resource in yaml.safe_load_all(Path(sys.argv[1]).read_text(encoding="utf-8")):
        kubernetes_validate.validate(resource, version, strict=True)
