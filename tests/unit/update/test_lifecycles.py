"""The lifecycle dates of bases, compared with Debian's package of them."""

from __future__ import annotations

import dataclasses
import json

from build.matrix.model import Matrix
from build.update import lifecycles, report_text
from tests.unit.fixture_project import PROJECT
from tests.unit.update.test_report import EMPTY

DEBIAN = """
version,codename,series,created,release,eol,eol-lts,eol-elts
12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30
13,Trixie,trixie,2023-06-10,2025-08-09,2028-08-09
,Sid,sid,1993-08-16
"""
UBUNTU = """
version,codename,series,created,release,eol,eol-server,eol-esm
18.04 LTS,Bionic Beaver,bionic,2017-10-19,2018-04-26,2023-05-31,2023-05-31,2028-04-26
"""


def matrix(**lives: dict[str, str]) -> Matrix:
    """Return the fixture's matrix with other lifecycles of systems: ``debian12`` → phase → its end."""
    data = PROJECT.matrix.model_dump(by_alias=True, mode="json")
    for base in data["bases"].values():
        ends = lives.get(base["os"].replace(".", "_"), {})
        base["lifecycle"] = {key: {"until": until, "source": "https://source.example"} for key, until in ends.items()}
    return Matrix.model_validate(data)


def lines(of: Matrix) -> list[str]:
    return [str(each) for each in lifecycles.differing(of, {"debian": DEBIAN, "ubuntu": UBUNTU})]


def test_each_date_that_differs_is_reported_with_both() -> None:
    made = matrix(
        debian12={"full-support": "2026-06-10", "lts": "2028-07-01"},
        debian13={"full-support": "2028-08-09", "lts": "2030-06-30"},
        ubuntu18_04={"full-support": "2023-06-01"},
    )
    found = lines(made)
    full = "Debian 12 (debian12-py311), full support until: matrix 2026-06-10, distro-info-data 2026-07-11"
    assert full in found
    assert "Debian 12 (debian12-py311), LTS until: matrix 2028-07-01, distro-info-data 2028-06-30" in found
    assert any(line.startswith("Ubuntu 18.04") and "2023-05-31" in line for line in found)
    assert not any("Debian 13" in line for line in found), "the row has no date of LTS"
    report = dataclasses.replace(EMPTY, lifecycles=lifecycles.differing(made, {"debian": DEBIAN, "ubuntu": UBUNTU}))
    assert not report.moves, "a date is for a maintainer to decide"
    assert f"## Lifecycle dates to decide\n\n- {full}\n" in report_text.to_markdown(report)
    assert json.loads(report_text.to_json(report))["lifecycles"][0] == {
        "base": "debian12-py311",
        "phase": "full support",
        "matrix": "2026-06-10",
        "distro-info-data": "2026-07-11",
    }


def test_dates_that_agree_or_that_one_side_lacks_are_not() -> None:
    assert lines(matrix(debian12={"full-support": "2026-07-11"}, ubuntu18_04={"full-support": "2023-05-31"})) == []
    assert lines(matrix()) == []
    assert lifecycles.differing(matrix(debian12={"full-support": "2026-01-01"}), {}) == ()


def test_the_package_of_the_newest_suite_is_read() -> None:
    assert lifecycles.suite_of(PROJECT.matrix) == "trixie"
