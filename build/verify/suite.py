"""The image tests with all that a run of them needs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build.paths import Paths, ToolPaths
from build.verify import pytest_run, reports
from build.verify.display import Display
from build.verify.events import Event
from build.verify.pytest_run import Files
from build.verify.target import Scope, Target, suite_hash


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The image tests, and how to run them."""

    tool: ToolPaths
    paths: Paths
    #: The environment variables of pytest and of the docker command.
    environment: Mapping[str, str]
    #: How many tests run at a time.
    workers: int
    #: Only tests that match (pytest's ``-k``); None for all.
    keywords: str | None = None

    @functools.cached_property
    def hash(self) -> str:
        """The hash of the tests."""
        return suite_hash(self.tool.image_tests, self.paths.scoring)

    @property
    def groups(self) -> Mapping[str, str]:
        """Group → the first line of the docstring of its file."""
        return self._descriptions[0]

    @property
    def descriptions(self) -> Mapping[str, str]:
        """``group.test_name`` → the first line of the test's docstring."""
        return self._descriptions[1]

    @functools.cached_property
    def _descriptions(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        return reports.describe(self.tool.image_tests)

    def _parts(self, scopes: Mapping[str, Scope]) -> int:
        """Return the number of parts into which ``tests/images/conftest.py`` divides the tests, at most."""
        files = len(list(self.tool.image_tests.glob("test_*.py")))
        return sum(2 if scope == "image" else files for scope in scopes.values())

    def run(self, targets: Sequence[Target], scopes: Mapping[str, Scope], *, name: str = "verify") -> list[Event]:
        """Run the tests, and show their progress.

        Args:
            targets: The images.
            scopes: Image name → which of its tests run; all of those that are not in it.
            name: The name of the files that the run writes.

        Returns:
            All events.

        Raises:
            UsageError: ``keywords`` matches no test.
            VerifyError: The tests could not run.
            EngineError: No engine answers.
        """
        scopes = {target.name: scopes.get(target.name, "all") for target in targets}
        # What takes longest comes first, so that the workers end at about the same time.
        ordered = sorted(targets, key=lambda each: (scopes[each.name] == "image", -each.built.local.size))
        with Display([target.name for target in ordered]) as display:
            return pytest_run.run(
                ordered,
                scopes=scopes,
                tool=self.tool,
                files=Files(paths=self.paths, name=name),
                environment=self.environment,
                workers=min(self.workers, self._parts(scopes)),
                keywords=self.keywords,
                on_event=display,
            )
