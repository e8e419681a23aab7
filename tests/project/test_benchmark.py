"""The group that the benchmark measures has what the benchmark needs."""

from __future__ import annotations

from bench import plan as bench_plan
from build.checkout.project import open_project
from build.paths import repository


def test_every_row_of_the_matrix_has_a_plain_dockerfile_and_one_row_has_the_pin_that_changes() -> None:
    found = bench_plan.rows(open_project(repository()))
    bake = (repository().root / "bench" / "plain" / "docker-bake.hcl").read_text(encoding="utf-8")
    for row in found:
        assert f'target "{row.plain}"' in bake
        dockerfile = repository().root / "bench" / "plain" / row.plain / "Dockerfile"
        assert f"\nFROM {bench_plan.plain_base(found)}\n" in dockerfile.read_text(encoding="utf-8")
    name, version = bench_plan.PIN
    pinned = [row.lock.versions()[name] for row in found if name in row.lock.versions()]
    assert len(pinned) == 1
    assert pinned != [version]
