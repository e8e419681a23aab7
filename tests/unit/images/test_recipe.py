"""Recipes: everything that determines an image goes in, and nothing that does not."""

from __future__ import annotations

import pytest

from build.images import recipe

BASE = {
    "dockerfile": "FROM scratch\n",
    "scripts": {"setup-base": "#!/bin/sh\nset -e\n"},
    "start": {},
    "bootstrap": ["bookworm"],
}
PACKAGES = ["libc6=2.36-9", "python3.11=3.11.2-6"]


def image(dockerfile: str = "FROM base\n", layer: str = "numpy==2.4.6\n", **base: object) -> recipe.Recipe:
    return recipe.image(
        dockerfile=dockerfile,
        layers={"numpy-2.4.6": layer},
        base=recipe.base_image(**{**BASE, "packages": PACKAGES, **base}),  # type: ignore[arg-type]
        builder=builder(),
    )


def builder(
    dockerfile: str = "FROM rootfs\n", script: str = "#!/bin/sh\n", uv: str = "d" * 64, python: str = "3.11.2-6"
) -> recipe.Recipe:
    return recipe.builder(dockerfile=dockerfile, scripts={"install-layer": script}, uv=uv, python=python)


def test_a_recipe_is_a_digest_of_content_and_the_same_each_time() -> None:
    assert image().digest == image().digest
    assert len(image().digest) == 64
    assert image().tag == f"recipe-{image().digest[:16]}"


@pytest.mark.parametrize(
    "changed",
    [
        image(dockerfile="FROM base\nUSER root\n"),
        image(layer="numpy==2.4.7\n"),
        image(packages=["libc6=2.36-10", "python3.11=3.11.2-6"]),
        image(scripts={"setup-base": "#!/bin/sh\nset -eu\n"}),
        image(bootstrap=["trixie"]),
    ],
    ids=["dockerfile", "layer", "debian package", "script", "bootstrap"],
)
def test_each_input_changes_the_recipe(changed: recipe.Recipe) -> None:
    assert changed.digest != image().digest


@pytest.mark.parametrize(
    "changed",
    [
        builder(dockerfile="FROM x\n"),
        builder(script="#!/bin/sh\ntrue\n"),
        builder(uv="e" * 64),
        builder(python="3.11.3"),
    ],
    ids=["dockerfile", "script", "uv", "python"],
)
def test_each_input_of_the_builder_changes_its_recipe(changed: recipe.Recipe) -> None:
    assert changed.digest != builder().digest


def test_comments_and_blank_lines_change_nothing() -> None:
    assert image(dockerfile="# why\n\nFROM base\n").digest == image().digest
    assert image(scripts={"setup-base": "#!/bin/sh\n# why\nset -e\n"}).digest == image().digest


def test_the_interpreter_of_a_script_is_not_a_comment() -> None:
    assert recipe.content("#!/bin/sh\ntrue\n") != recipe.content("#!/bin/bash\ntrue\n")


def test_the_order_of_debian_packages_changes_nothing() -> None:
    assert image(packages=PACKAGES[::-1]).digest == image().digest


@pytest.mark.parametrize(
    "text",
    [
        "RUN <<END\n# %s\nEND\n",
        "RUN cat <<-'END' > /etc/example\n    # %s\n    END\n",
        "#!/bin/sh\nprintf '%%s' 'first\n# %s\n' > /etc/example\n",
        '#!/usr/bin/env python3\nTEXT = """\n# %s\n"""\n',
        "# syntax=docker/dockerfile:%s\nFROM scratch\n",
        "#!/bin/sh\necho one \\\n# %s\necho two\n",
    ],
    ids=["heredoc", "indented heredoc", "quoted text", "Python string", "directive", "rest of a continued line"],
)
def test_a_line_that_only_looks_like_a_comment_counts(text: str) -> None:
    assert recipe.content(text % "1") != recipe.content(text % "2")


def test_a_comment_with_an_apostrophe_is_still_a_comment() -> None:
    script = "#!/bin/sh\n# %s\nlinks=${1#/cuda/*/}\n"
    assert recipe.content(script % "Debian's own") == recipe.content(script % "ours")


def test_the_line_ends_of_a_file_count() -> None:
    """A checkout with CRLF gives other images."""
    assert recipe.content("FROM base\r\n") != recipe.content("FROM base\n")
    assert recipe.exact("a\r\n") != recipe.exact("a\n")
