"""Runs the jobs of a workflow as GitHub would: order, conditions, job matrix, variables, outputs.

Only what the workflows here use is known; anything else fails. Actions (`uses:`) do nothing. docs.github.com, "Workflow
syntax for GitHub Actions" and "Evaluate expressions in workflows and actions".
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.conftest import ROOT

FOLDER = ROOT / ".github/workflows"

Result = Literal["success", "failure", "cancelled", "skipped"]
#: Runs a `run:` line of a job, `images (1/2)` in a job matrix, with variables; returns whether it succeeded, and its
#: outputs.
RunLine = Callable[[str, str, Mapping[str, str]], tuple[bool, dict[str, str]]]

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|==|!=|&&|\|\||!|\(|\)|,|[A-Za-z_][\w.*-]*|\d+)")
_STATUS = re.compile(r"\b(success|failure|always|cancelled)\(\)")
_WORDS = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "null": "None"}


def load(name: str) -> dict[str, Any]:
    """Read a workflow; YAML 1.1 reads its key `on` as True."""
    document: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return {"on": document.pop(True), **document}


def names() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir())


def steps(workflow: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step with the name of its job."""
    for name, job in workflow["jobs"].items():
        for step in job.get("steps", ()):
            yield name, step


def evaluate(text: str, contexts: Mapping[str, Any], status: Mapping[str, bool]) -> Any:
    """Evaluate an expression; a name that nothing has is null, which equals false, 0 and an empty text.

    ``==`` compares loosely: values of two types are made numbers (docs.github.com, "Evaluate expressions in workflows
    and actions", "Operators").
    """
    parts, position, text = [], 0, text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match, f"not understood: {text[position:]}"
        token, position = match[1], match.end()
        if token.startswith("'"):
            parts.append(repr(token[1:-1].replace("''", "'")))
        elif token in _WORDS or not token[0].isalpha() or text[position : position + 1] == "(":
            parts.append(_WORDS.get(token, token))
        else:
            parts.append(f"look({token!r})")

    def look(path: str) -> Any:
        value: Any = contexts
        for part in path.split("."):
            if part == "*":
                value = list(value.values())
            elif isinstance(value, list):
                value = [each.get(part) for each in value]
            else:
                value = value.get(part) if isinstance(value, Mapping) else None
        return value

    known: dict[str, Any] = {
        "look": look,
        "equal": _equal,
        "fromJSON": json.loads,
        "toJSON": functools.partial(json.dumps, indent=2),
        "contains": lambda values, wanted: any(_equal(value, wanted) for value in values),
        "format": lambda pattern, *values: pattern.format(*map(_text, values)),
        **{name: functools.partial(bool, value) for name, value in status.items()},
    }
    tree = ast.fix_missing_locations(_LooseEquality().visit(ast.parse("".join(parts), mode="eval")))
    return eval(compile(tree, "expression", "eval"), {"__builtins__": {}}, known)


class _LooseEquality(ast.NodeTransformer):
    """Makes a call of ``equal`` of each ``==`` and ``!=``."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        (operator,), (right,) = node.ops, node.comparators
        call = ast.Call(func=ast.Name(id="equal", ctx=ast.Load()), args=[node.left, right], keywords=[])
        return call if isinstance(operator, ast.Eq) else ast.UnaryOp(op=ast.Not(), operand=call)


def _equal(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return _number(one) == _number(other)


def _number(value: object) -> float:
    if isinstance(value, str | int | float | None):
        with contextlib.suppress(ValueError):
            return float(value or 0)
    return math.nan


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def filled(text: object, contexts: Mapping[str, Any]) -> str:
    """Replace the expressions in a value."""
    return _EXPRESSION.sub(lambda match: _text(evaluate(match[1], contexts, {})), str(text))


@dataclass(kw_only=True)
class Run:
    """One run of a workflow. `again` runs the failed jobs, and those that need them, as GitHub's button does."""

    workflow: Mapping[str, Any]
    run_line: RunLine
    #: The contexts that the event and the settings give: github, vars, secrets, inputs.
    contexts: Mapping[str, Any]
    #: Jobs that take too long: GitHub cancels them.
    slow: frozenset[str] = frozenset()
    results: dict[str, Result] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Of each job with a job matrix: the value → its result.
    matrix: dict[str, dict[str, Result]] = field(default_factory=dict)

    def start(self) -> Run:
        jobs = self.workflow["jobs"]
        waiting = [name for name in jobs if self.results.get(name) != "success"]
        for name in waiting:
            self.results.pop(name, None)
        while waiting:
            name = next(name for name in waiting if all(need in self.results for need in _needs(jobs[name])))
            waiting.remove(name)
            self.results[name] = self._job(name, jobs[name])
        return self

    @property
    def is_green(self) -> bool:
        return not {"failure", "cancelled"} & set(self.results.values())

    def _job(self, name: str, job: Mapping[str, Any]) -> Result:
        needs = {need: {"result": self.results[need], "outputs": self.outputs.get(need, {})} for need in _needs(job)}
        contexts = {**self.contexts, "needs": needs}
        succeeded = all(need["result"] == "success" for need in needs.values())
        failed = any(need["result"] == "failure" for need in needs.values())
        condition = str(job.get("if", "success()"))
        status = {"success": succeeded, "failure": failed, "always": True, "cancelled": False}
        if not (succeeded or _STATUS.search(condition)) or not evaluate(condition, contexts, status):
            return "skipped"
        matrix = job.get("strategy", {}).get("matrix")
        if matrix is None:
            return self._steps(name, job, contexts)
        ((key, values),) = matrix.items()
        match = _EXPRESSION.fullmatch(values)
        assert match is not None
        each = evaluate(match[1], contexts, {})
        assert 0 < len(each) <= 256, "GitHub refuses it"
        assert job["strategy"]["fail-fast"] is False
        before = self.matrix.get(name, {})
        self.matrix[name] = {
            value: "success"
            if before.get(value) == "success"
            else self._steps(
                f"{name} ({value})", job, {**contexts, "matrix": {key: value}, "strategy": {"job-index": number}}
            )
            for number, value in enumerate(each)
        }
        return "failure" if "failure" in self.matrix[name].values() else "success"

    def _steps(self, name: str, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> Result:
        of_job = {key: filled(value, contexts) for key, value in job.get("env", {}).items()}
        done: dict[str, dict[str, Any]] = {}
        is_failed = False
        for step in job.get("steps", ()):
            status = {"success": not is_failed, "failure": is_failed, "always": True, "cancelled": False}
            condition = str(step.get("if", "success()"))
            known = {**contexts, "steps": done}
            runs = not is_failed or _STATUS.search(condition)
            if not runs or not evaluate(condition, known, status):
                done |= _outcome(step, "skipped")
                continue
            succeeded, outputs = True, dict[str, str]()
            if "run" in step:
                own = {key: filled(value, known) for key, value in step.get("env", {}).items()}
                succeeded, outputs = self.run_line(name, step["run"], {**of_job, **own})
            is_failed = is_failed or not succeeded
            done |= _outcome(step, "success" if succeeded else "failure", outputs)
        known = {**contexts, "steps": done}
        self.outputs[name] = {key: filled(value, known) for key, value in job.get("outputs", {}).items()}
        return "cancelled" if name in self.slow else "failure" if is_failed else "success"


def _outcome(
    step: Mapping[str, Any], outcome: Result, outputs: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what the context ``steps`` has of a step: nothing if it has no id."""
    return {step["id"]: {"outcome": outcome, "outputs": outputs or {}}} if "id" in step else {}


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def read_outputs(file: Path) -> dict[str, str]:
    """Read the file of GITHUB_OUTPUT."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return {match[1]: match[3] for match in re.finditer(r"^(\w+)<<(\S+)\n(.*?)\n\2\n", text, re.MULTILINE | re.DOTALL)}
