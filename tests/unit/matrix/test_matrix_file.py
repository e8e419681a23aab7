"""What a maintainer reads when matrix.yaml is wrong: line, key, what is wrong, the nearest right thing."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from build.errors import MatrixError
from build.matrix.reader import load

GOOD = """\
project:
  namespace: azureml
  vendor: someone
  exclude-newer: 2026-11-19
  uv: "0.13.9"
server:
  title: Server
  contract: [azureml-inference-server-http==1.5.1]
axes:
  base: [one]
  device: [cpu]
bases:
  one:
    title: Debian 12
    os: debian12
    python: "3.11"
    glibc: "2.36"
    bootstrap: {suite: bookworm}
frameworks:
  sklearn:
    title: scikit-learn
    contract: [numpy>=2.0]
    versions:
      "1.9":
        contract:
          - pandas~=3.1
          - scikit-learn==1.9.1
        lifecycle: {released: 2026-01-01, full-support: {until: 2027-01-01, source: upstream says}}
"""


def failure(folder: Path, text: str | bytes) -> MatrixError:
    file = folder / "matrix.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(MatrixError) as caught:
        load(file)
    return caught.value


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} must be there once"
    return GOOD.replace(old, new)


def test_where_names_lines_of_keys_items_and_nearest_parents(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(GOOD, encoding="utf-8")
    where = load(tmp_path / "matrix.yaml").where
    version = ("frameworks", "sklearn", "versions", "1.9")
    assert where(*version, "contract", 1) == 'matrix.yaml:27 (frameworks.sklearn.versions."1.9".contract[1])'
    assert where(*version, "guards", 0) == 'matrix.yaml:24 (frameworks.sklearn.versions."1.9".guards[0])'
    assert where() == "matrix.yaml:1"


def test_dates_may_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(edited("2026-11-19", "'2026-11-19'"), encoding="utf-8")
    assert load(tmp_path / "matrix.yaml").matrix.project.exclude_newer == datetime.date(2026, 11, 19)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(GOOD, encoding="utf-8-sig")
    assert load(tmp_path / "matrix.yaml").matrix.project.namespace == "azureml"


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = edited(
        '    glibc: "2.36"\n    bootstrap: {suite: bookworm}\n',
        '    glibc: "2.36"\n    bootstrap: &b {suite: bookworm, packages: [python3]}\n'
        "  two:\n    title: Debian 13\n    os: debian13\n    python: '3.13'\n    glibc: '2.40'\n"
        "    bootstrap:\n      <<: *b\n      suite: trixie\n",
    )
    (tmp_path / "matrix.yaml").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "matrix.yaml")
    bootstrap = loaded.matrix.bases["two"].bootstrap
    assert bootstrap is not None
    assert (bootstrap.suite, bootstrap.packages) == ("trixie", ["python3"])
    assert loaded.where("bases", "two", "bootstrap", "suite").startswith("matrix.yaml:26 ")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MatrixError) as caught:
        load(tmp_path / "matrix.yaml")
    assert caught.value.what == "matrix.yaml not found"
    assert caught.value.where == str(tmp_path / "matrix.yaml")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").mkdir()
    with pytest.raises(MatrixError, match="cannot be read: Is a directory"):
        load(tmp_path / "matrix.yaml")


@pytest.mark.parametrize(
    ("text", "what", "where", "fix"),
    [
        ("", "is empty", ":1", "git checkout"),
        (
            "- a\n- b\n",
            "must be a mapping (project:, server:, axes:, …), its top level is a list",
            ":1",
            None,
        ),
        ("a: 1\n---\nb: 2\n", "expected a single document", ":2, column 1", None),
        ("a: b: c\n", "mapping values are not allowed here", ":1, column 5", "check the indentation"),
        ("a:\n\tb: 1\n", "cannot start any token", ":2, column 1", "spaces, not tabs"),
        ("a: [1, 2\nb: 3\n", "while parsing a flow sequence", ":2", "brackets"),
        ("a: 1\nb: *nowhere\n", "undefined alias", ":2", None),
        ("a: 1\nb: x\x07y\n", "the character U+0007 is not allowed", ":2", "remove the character"),
        (b"a: 1\nb: \xff\n", "is not UTF-8: byte 0xff", ":2", "save it as UTF-8"),
        ("a: 1\nb: " + "[" * 5000, "nested too deeply", ":2", None),
    ],
    ids=["empty", "list", "documents", "colon", "tab", "bracket", "alias", "bell", "latin-1", "deep"],
)
def test_not_yaml(tmp_path: Path, text: str | bytes, what: str, where: str, fix: str | None) -> None:
    error = failure(tmp_path, text)
    assert what in error.what
    assert error.where is not None
    assert error.where.endswith(where) or f"matrix.yaml{where}," in error.where
    assert fix is None or fix in (error.fix or "")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("!!timestamp x", "'x' is not a valid value of the YAML type !!timestamp"),
        ("!!bool maybe", "'maybe' is not a valid value of the YAML type !!bool"),
        ("!!int ''", "'' is not a valid value of the YAML type !!int"),
        ("!!float x", "'x' is not a valid value: could not convert string to float"),
        ("!!set {a, b}", "the YAML tag '!!set' does not belong here"),
        ("!!python/object/apply:os.system [ls]", "the YAML tag '!!python/object/apply:os.system' does not belong here"),
        ("!own x", "could not determine a constructor for the tag '!own'"),
        ('"\\ud800"', "'\\ud800' has a character that Unicode does not have"),
        ("9" * 5000, "is not a valid value: Exceeds the limit (4300 digits)"),
    ],
)
def test_a_value_that_yaml_cannot_make(tmp_path: Path, value: str, what: str) -> None:
    error = failure(tmp_path, edited("exclude-newer: 2026-11-19", f"exclude-newer: {value}"))
    assert what in error.what
    assert error.where == "matrix.yaml:4 (project.exclude-newer)"
    assert len(error.what) < 500


@pytest.mark.parametrize("key", ["!!bool maybe", "!!timestamp x", "!!int ''", '"\\ud800"'])
def test_a_key_that_yaml_cannot_make(tmp_path: Path, key: str) -> None:
    error = failure(tmp_path, f"{GOOD}{key}: 1\n")
    assert f"matrix.yaml:{GOOD.count(chr(10)) + 1}" in (error.where or error.details or "")


def test_many_unknown_keys_are_counted(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD + "".join(f"k{number}: 1\n" for number in range(10_000)))
    assert error.what == "matrix.yaml has 10000 errors"
    assert "unknown key 'k0'" in (error.details or "")


BOMB = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 20))
MERGED = "".join(f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 9)}]}}\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (f"b0: &b0 [x]\n{BOMB}", "more than 250000 values", 7),
        (f"b0: &b0 {{x: 1}}\n{MERGED}", "more than 250000 values", 7),
        ("a: [" + "1," * 250_001 + "1]", "more than 250000 values", 1),
        ("k: v\n" * 500_001, "more than 2500000 characters", 500_001),
    ],
    ids=["aliases", "merge keys", "values", "characters"],
)
def test_a_file_that_is_too_large(tmp_path: Path, text: str, what: str, line: int) -> None:
    error = failure(tmp_path, text)
    assert what in error.what
    assert error.where == f"matrix.yaml:{line}"


def test_a_yaml_error_shows_the_place(tmp_path: Path) -> None:
    error = failure(tmp_path, edited("    os: debian12", "    os: debian12: bookworm"))
    assert error.where == "matrix.yaml:15, column 17"
    assert "os: debian12: bookworm\n" in (error.details or "")
    assert "^" in (error.details or "")


VERSION = 'frameworks.sklearn.versions."1.9"'


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        pytest.param(
            "        contract:\n",
            "        contrct:\n",
            "unknown key 'contrct'",
            f"25 ({VERSION}.contrct)",
            "did you mean 'contract'?",
            id="unknown key with a near one",
        ),
        pytest.param(
            "  device: [cpu]",
            "  device: [cpu]\n  colour: blue",
            "unknown key 'colour'",
            "12 (axes.colour)",
            "known here: base, device",
            id="unknown key without a near one",
        ),
        pytest.param(
            "  exclude-newer",
            "  exclude_newer",
            "unknown key 'exclude_newer'",
            "4 (project.exclude_newer)",
            "did you mean 'exclude-newer'?",
            id="a misspelt key is not missing as well",
        ),
        pytest.param(
            "  vendor: someone\n",
            "  vendor: someone\n  registry: https://registry.example.com\n",
            "'https://registry.example.com' does not fit",
            "4 (project.registry)",
            "without a scheme: registry.example.com/acme",
            id="a registry with a scheme",
        ),
        pytest.param(
            "  vendor: someone\n",
            "  vendor: someone\n  registry: acme/images\n",
            "'acme/images' does not fit",
            "4 (project.registry)",
            "host[:port][/namespace]",
            id="a registry without a host",
        ),
        pytest.param(
            "    title: scikit-learn\n",
            "",
            "the key 'title' is missing",
            "20 (frameworks.sklearn)",
            "add 'title:' – The name that people read: `scikit-learn`.",
            id="missing key",
        ),
        pytest.param(
            'python: "3.11"',
            "python: 3.10",
            "must be text; unquoted, 3.10 is the number 3.1 in YAML",
            "16 (bases.one.python)",
            "quote it: '3.10'",
            id="a number for a version",
        ),
        pytest.param(
            '"1.9":',
            "1.10:",
            "a key must be text; unquoted, 1.10 is the number 1.1 in YAML",
            '24 (frameworks.sklearn.versions."1.10")',
            "quote it: '1.10'",
            id="a number for a key",
        ),
        pytest.param(
            "title: Debian 12",
            "title: yes",
            "must be text; unquoted, yes is true in YAML",
            "14 (bases.one.title)",
            "quote it: 'yes'",
            id="a word that YAML reads as true",
        ),
        pytest.param(
            "title: Debian 12",
            "title: 2026-01-01",
            "must be text; unquoted, 2026-01-01 is a date in YAML",
            "14 (bases.one.title)",
            "quote it: '2026-01-01'",
            id="a date for text",
        ),
        pytest.param(
            "contract: [numpy>=2.0]",
            "contract: numpy>=2.0",
            "must be a list, here is the single value 'numpy>=2.0'",
            "22 (frameworks.sklearn.contract)",
            "write it in brackets: [numpy>=2.0]",
            id="text for a list",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "bootstrap: [bookworm]",
            "must be a mapping, here is a list",
            "18 (bases.one.bootstrap)",
            "what belongs here: Make the base from Debian's archive.",
            id="a list for a mapping",
        ),
        pytest.param(
            "title: Debian 12",
            "title: {a: b}",
            "must be text, here is a mapping",
            "14 (bases.one.title)",
            "what belongs here: The name that people read: `Debian 12`.",
            id="a mapping for text",
        ),
        pytest.param(
            "    contract: [numpy>=2.0]",
            "    contract:",
            "must be a list, here is nothing",
            "22 (frameworks.sklearn.contract)",
            "write [] for an empty one",
            id="nothing for a list",
        ),
        pytest.param(
            "2026-11-19",
            "soon",
            "'soon' is not a date; write it as 2026-11-19",
            "4 (project.exclude-newer)",
            None,
            id="text for a date",
        ),
        pytest.param(
            "2026-11-19",
            "20261119",
            "must be a date, here is the single value '20261119'",
            "4 (project.exclude-newer)",
            "write it as 2026-11-19",
            id="a number for a date",
        ),
        pytest.param(
            "2026-11-19",
            "2026-13-01",
            "'2026-13-01' is not a valid value: month must be in 1..12",
            "4 (project.exclude-newer)",
            None,
            id="no such day",
        ),
        pytest.param(
            "os: debian12",
            "os: Debian_12",
            "'Debian_12' does not fit",
            "15 (bases.one.os)",
            "write lower-case letters, digits, '.' and '-', a letter or digit first",
            id="a name with capitals",
        ),
        pytest.param(
            "  sklearn:",
            "  SKLearn:",
            "'SKLearn' does not fit",
            "20 (frameworks.SKLearn)",
            "write lower-case letters",
            id="a key with capitals",
        ),
        pytest.param(
            "device: [cpu]",
            "device: []",
            "must not be empty",
            "11 (axes.device)",
            "what belongs here: `cpu`, and entries of `cuda`.",
            id="an empty list",
        ),
        pytest.param(
            "pandas~=3.1\n",
            "pandas~=3.1.x\n",
            "'~=1.1.x' is not a valid specifier",
            f"26 ({VERSION}.contract[0])",
            None,
            id="a specifier with x",
        ),
        pytest.param(
            "numpy>=2.0",
            "numpy=>2.0",
            "'numpy=>2.0' is not a valid requirement (PEP 508)",
            "22 (frameworks.sklearn.contract[0])",
            None,
            id="a wrong operator",
        ),
        pytest.param(
            "until: 2027-01-01",
            "until: 2025-01-01",
            "the dates must be in order: released, full-support or deprecated, the end",
            f"28 ({VERSION}.lifecycle)",
            None,
            id="dates out of order",
        ),
        pytest.param(
            "full-support: {until: 2027-01-01, source: upstream says}",
            "lts: {until: 2027-01-01, source: upstream says}",
            "'lts' follows 'full-support': give both, or 'full-support' alone",
            f"28 ({VERSION}.lifecycle)",
            None,
            id="LTS without full support",
        ),
        pytest.param(
            "full-support: {until: 2027-01-01, source: upstream says}",
            "end-of-life: 2027-01-01",
            "'end-of-life' is not a key of a lifecycle any more",
            f"28 ({VERSION}.lifecycle.end-of-life)",
            "write 'full-support: {until: DATE, source: WHERE}' and, if security fixes go on after it, "
            "'lts: {until: DATE, source: WHERE}'; the end is that of the last one",
            id="the key that the phases replaced",
        ),
        pytest.param(
            "    bootstrap: {suite: bookworm}\n",
            "",
            "a base needs either 'bootstrap' or 'image', but not both",
            "13 (bases.one)",
            None,
            id="a base without origin",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "image: debian:12@sha256:1f2e",
            "'debian:12@sha256:1f2e' does not fit",
            "18 (bases.one.image)",
            "write a reference, with its digest where it is known",
            id="an image with half a digest",
        ),
        pytest.param(
            "    contract: [numpy>=2.0]\n",
            "    contract: [numpy>=2.0]\n    contract: []\n",
            "the key 'contract' occurs twice; the first is in line 22",
            "23 (frameworks.sklearn.contract)",
            "keep one of the two",
            id="a key twice",
        ),
        pytest.param(
            "vendor: someone",
            "vendor: !!python/name:os.system",
            "could not determine a constructor",
            "3 (project.vendor)",
            "remove the tag",
            id="a Python tag",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "bootstrap: &x {suite: *x}",
            "an alias is inside the value that it names",
            "18 (bases.one.bootstrap.suite)",
            None,
            id="an alias of itself",
        ),
        pytest.param(
            "axes:\n",
            "cuda:\n  cuda-12:\n    version: 12.5.1\n    cudnn: 9.3.0\n    packages: [a==1]\naxes:\n",
            "'cuda-12' does not fit",
            "10 (cuda.cuda-12)",
            "cuda13.0",
            id="a CUDA name",
        ),
        pytest.param(
            "axes:\n",
            "exclude:\n  - {framework: sklearn, reason: no}\naxes:\n",
            "must be text; unquoted, no is false in YAML",
            "10 (exclude[0].reason)",
            "quote it",
            id="no for text",
        ),
        pytest.param(
            "axes:\n",
            "exclude:\n  - {framework: sklearn, reason: bad}\naxes:\n",
            "'bad' is too short",
            "10 (exclude[0].reason)",
            "write at least 10 characters",
            id="a short reason",
        ),
        pytest.param(
            "axes:\n",
            "wheel-sources:\n  x: {packages: [torch]}\naxes:\n",
            "a wheel source has an 'index', a 'directory', or both",
            "10 (wheel-sources.x)",
            None,
            id="a wheel source without place",
        ),
        pytest.param(
            "axes:\n",
            "cuda:\n  cuda13.0: {version: 13.0.3, cudnn: 9.12.0.46}\naxes:\n",
            "CUDA comes from 'packages' (wheels), 'debian' packages or 'images'",
            '10 (cuda."cuda13.0")',
            None,
            id="a CUDA without origin",
        ),
        pytest.param(
            "axes:\n",
            "patches:\n  - {distribution: pandas, file: a.py, find: a, replace: b, reason: it does not work}\naxes:\n",
            "'pandas'",
            "10 (patches[0].distribution)",
            "a distribution and its exact version: 'pandas==0.25.1'",
            id="a patch of any version",
        ),
        pytest.param(
            "axes:\n",
            "patches:\n  - {distribution: pandas==0.25.x, file: a.py, find: a, replace: b, reason: it does not work}\n"
            "axes:\n",
            "'pandas==0.25.x'",
            "10 (patches[0].distribution)",
            "a distribution and its exact version: 'pandas==0.25.1'",
            id="a patch of no version",
        ),
        pytest.param(
            'uv: "0.13.9"',
            "uv: 0.13.x",
            "'0.13.x' does not fit",
            "5 (project.uv)",
            "write a version: '1.9', '12.5.1'",
            id="a version with a word in it",
        ),
        pytest.param(
            '"1.9":',
            "1.lts:",
            "'1.lts' does not fit",
            '24 (frameworks.sklearn.versions."1.lts")',
            "write a version: '1.9', '12.5.1'",
            id="a version key with a word in it",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "image: debian:12\n    packages: [libgomp1; reboot]",
            "'libgomp1; reboot' does not fit",
            "19 (bases.one.packages[0])",
            "one package of the distribution's archive: 'libgomp1'",
            id="a command among Debian packages",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "bootstrap: {suite: bookworm, packages: [a b]}",
            "'a b' does not fit",
            "18 (bases.one.bootstrap.packages[0])",
            "one package of the distribution's archive: 'libgomp1'",
            id="two Debian packages in one text",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "bootstrap: {suite: bookworm}\n    prefix: {version: 3.12.1}",
            "the prefix is Python 3.12.1, the base says 3.11",
            "13 (bases.one)",
            None,
            id="a prefix of another Python",
        ),
        pytest.param(
            "bootstrap: {suite: bookworm}",
            "bootstrap: {suite: bookworm}\n    packages: [libgomp1]",
            "those of a bootstrapped base are under 'bootstrap'",
            "13 (bases.one)",
            None,
            id="apt packages of a bootstrapped base",
        ),
    ],
)
def test_wrong_content(tmp_path: Path, old: str, new: str, what: str, where: str, fix: str | None) -> None:
    error = failure(tmp_path, edited(old, new))
    assert what in error.what
    assert error.where == f"matrix.yaml:{where}"
    assert error.details is None, "one mistake, one error"
    if fix is None:
        assert error.fix is None
    else:
        assert fix in (error.fix or "")
    said = f"{error.what} {error.fix}"
    assert "pydantic" not in said
    assert "Value error" not in said
    assert "\n" not in said


def test_a_key_that_is_a_mapping(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD + "? {a: b}\n: c\n")
    assert error.what == "a key must be text, here is a mapping"
    assert error.where == "matrix.yaml:29"


def test_all_errors_come_together_by_line(tmp_path: Path) -> None:
    text = GOOD.replace("vendor:", "vendr:").replace('"3.11"', "3.11").replace("numpy>=2.0]", "numpy>=2.0]\n    x: 1")
    error = failure(tmp_path, text)
    assert error.what == "matrix.yaml has 3 errors"
    assert error.details == (
        "matrix.yaml:3 (project.vendr): unknown key 'vendr'; did you mean 'vendor'?\n"
        "matrix.yaml:16 (bases.one.python): must be text; unquoted, 3.11 is a number in YAML; "
        "quote it: '3.11'\n"
        "matrix.yaml:23 (frameworks.sklearn.x): unknown key 'x'; "
        "known here: contract, guards, title, update, versions, wheel-source"
    )


def test_many_errors_fit_on_a_screen(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD + "".join(f"x{number}: 1\n" for number in range(50)))
    assert error.what == "matrix.yaml has 50 errors"
    assert len((error.details or "").splitlines()) == 13
    assert (error.details or "").endswith("… and 38 more")


def test_an_update_rule_that_leaves_pins_behind_or_leaves_a_minor_version_needs_a_reason(tmp_path: Path) -> None:
    for rule in ("held", "newest"):
        text = edited("    title: scikit-learn\n", f"    title: scikit-learn\n    update: {{rule: {rule}}}\n")
        error = failure(tmp_path, text)
        assert f"the rule '{rule}' needs a 'reason'" in error.what
        assert error.where == "matrix.yaml:22 (frameworks.sklearn.update)"
    (tmp_path / "matrix.yaml").write_text(text.replace("newest}", "newest, reason: a good one}"), encoding="utf-8")
    matrix = load(tmp_path / "matrix.yaml").matrix
    assert matrix.frameworks["sklearn"].update is not None
    assert (matrix.project.update.rule, matrix.project.update.cool_down) == ("minor", 7)
