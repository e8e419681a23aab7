"""Agreement: the images of one base share the versions of the packages they have in common.

All their requirements are resolved together first, and the result constrains each image. If no set of packages
satisfies all of them, the images that fit together agree, and the others follow where they can.

Effects: runs uv (``build.locks.resolve``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.errors import NetworkError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.locks.resolve import UnsatisfiableError, resolve
from build.packages.cuda import is_cuda
from build.packages.target import Target
from build.requirements import distribution_name
from build.system import processes
from build.variants.variant import CPU, Variant

#: Number of resolutions in parallel: they wait for the index more than they compute.
_AT_ONCE = 3


@dataclass(frozen=True, kw_only=True)
class BaseResolution:
    """The images of one base, and how they are resolved."""

    variants: tuple[Variant, ...]
    target: Target
    #: Distribution → version that is chosen again if the requirements allow it.
    preferred: Mapping[str, str]
    #: Wheels in addition to the index.
    wheel_directories: tuple[Path, ...] = ()

    def locks(self) -> dict[str, Lock | UnsatisfiableError]:
        """Return the locks of all images and of the server, by title.

        If the requirements of some images have no solution, the result has only the errors of these images: the others
        are to be resolved again without them, so that they agree with each other.

        Raises:
            NetworkError: The index cannot be reached.
        """
        if not self.variants:
            return {}
        try:
            constraints = self._together([_without_cuda(item) for item in self._requirements.values()])
        except UnsatisfiableError:
            if unsatisfiable := self._unsatisfiable_alone():
                return dict(unsatisfiable)
            constraints = self._largest_agreement()
        with processes.worker_threads(_AT_ONCE) as pool:
            made = pool.map(lambda title: self._lock(title, constraints), self._requirements)
            results = dict(zip(self._requirements, made, strict=True))
        failures = {title: result for title, result in results.items() if isinstance(result, UnsatisfiableError)}
        return dict(failures) if failures else results

    @property
    def _requirements(self) -> dict[str, tuple[str, ...]]:
        """Title of the lock → its requirements."""
        images = {variant.name: variant.requirements for variant in self.variants}
        return {locks.SERVER: self.variants[0].server_contract, **images}

    def _left_out(self, title: str) -> tuple[str, ...]:
        return next((variant.left_out for variant in self.variants if variant.name == title), ())

    def _resolve(
        self,
        requirements: Sequence[str],
        *,
        title: str = "",
        constraints: Sequence[str] = (),
        preferred: Mapping[str, str] | None = None,
        offline: bool = False,
    ) -> tuple[LockedPackage, ...]:
        return resolve(
            requirements,
            self.target,
            preferred=self.preferred if preferred is None else preferred,
            constraints=constraints,
            without=self._left_out(title),
            wheel_directories=self.wheel_directories,
            offline=offline,
        )

    def _unsatisfiable_alone(self) -> dict[str, UnsatisfiableError]:
        """Return the failures of the images that have no solution even alone, by title."""
        with processes.worker_threads(_AT_ONCE) as pool:
            results = zip(self._requirements, pool.map(self._failure_alone, self._requirements), strict=True)
            return {title: failure for title, failure in results if failure is not None}

    def _failure_alone(self, title: str) -> UnsatisfiableError | None:
        try:
            self._resolve(self._requirements[title], title=title)
        except UnsatisfiableError as failure:
            return failure
        return None

    def _together(self, requirement_sets: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """Return the versions that satisfy all sets at once, as constraints (``numpy==2.4.6``), without CUDA's own.

        Raises:
            UnsatisfiableError: There are none.
        """
        union = sorted({item for requirements in requirement_sets for item in requirements})
        return tuple(
            f"{package.name}=={package.version}" for package in self._resolve(union) if not is_cuda(package.name)
        )

    def _largest_agreement(self) -> tuple[str, ...]:
        """As ``_together``, for images that fit together; two versions of one framework do not.

        The last version of each framework (the newest, as a matrix is written) agrees with those of the others; an
        older one follows where it can. If even these do not fit, the largest set that does, taken in order, CPU images
        before GPU images: a framework may be newer there.
        """
        newest = {
            (variant.device != CPU, variant.framework): _without_cuda(variant.requirements) for variant in self.variants
        }
        ordered = [newest[key] for key in sorted(newest, key=lambda key: key[0])]
        cpu_only = [requirements for (gpu, _), requirements in newest.items() if not gpu]
        fitting: list[Sequence[str]] = []
        constraints: tuple[str, ...] = ()
        for several in (ordered, cpu_only):
            try:
                constraints = self._together(several)
            except UnsatisfiableError:
                continue
            fitting = list(several)
            break
        for requirements in ordered:
            if requirements in fitting:
                continue
            try:
                constraints = self._together([*fitting, requirements])
            except UnsatisfiableError:
                continue
            fitting.append(requirements)
        return constraints

    def _lock(self, title: str, constraints: Sequence[str]) -> Lock | UnsatisfiableError:
        """Return the lock of one image, which keeps to the constraints as far as it can."""
        requirements = self._requirements[title]
        # If all agree, the first attempt needs no network: its pins have just been looked up. An image that does not
        # fit the others first gives up the constraints on its own pins, then treats all of them as preferences.
        attempts: tuple[Callable[[], tuple[LockedPackage, ...]], ...] = (
            lambda: self._resolve(requirements, title=title, constraints=constraints, offline=True),
            lambda: self._resolve(requirements, title=title, constraints=constraints),
            lambda: self._resolve(requirements, title=title, constraints=_of_others(constraints, requirements)),
            lambda: self._resolve(
                requirements,
                title=title,
                preferred={**self.preferred, **dict(item.split("==", 1) for item in constraints)},
            ),
        )
        failure: UnsatisfiableError | None = None
        for number, attempt in enumerate(attempts):
            try:
                packages = attempt()
            except UnsatisfiableError as reason:
                failure = reason
            except NetworkError:
                if number > 0:
                    raise
            else:
                return Lock(
                    title=title,
                    python=self.target.python,
                    platform=locks.platform(self.target.glibc),
                    exclude_newer=self.target.exclude_newer,
                    newest=locks.newest(packages),
                    requirements=requirements,
                    without=self._left_out(title),
                    packages=packages,
                )
        assert failure is not None
        return failure


def _without_cuda(requirements: Sequence[str]) -> list[str]:
    """Leave out the pins of CUDA: images agree on everything else, and on CUDA if they have the same pins."""
    return [text for text in requirements if not is_cuda(distribution_name(text))]


def _of_others(constraints: Sequence[str], requirements: Sequence[str]) -> list[str]:
    """Return the constraints on packages that the requirements do not name."""
    own = {distribution_name(text) for text in requirements}
    return [item for item in constraints if item.split("==")[0] not in own]
