"""The logins of mirrors, as apt reads them."""

from __future__ import annotations

from build.system import apt_mirrors


def test_logins_are_for_one_mirror_and_for_each_version_of_apt() -> None:
    """apt takes the first machine that the address begins with, and that of Ubuntu 18.04 only one without a scheme."""
    value = "http://a/debian=https://one:p%5Cn@m.example/debian http://a/s=https://two:q@m.example/debian-security"
    mirrors = apt_mirrors.from_environment({apt_mirrors.VARIABLE: value})
    assert apt_mirrors.auth_conf(mirrors) == (
        "machine https://m.example/debian/ login one password p\\n\n"
        "machine m.example/debian/ login one password p\\n\n"
        "machine https://m.example/debian-security/ login two password q\n"
        "machine m.example/debian-security/ login two password q\n"
    )
