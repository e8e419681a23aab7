"""Relative links in the committed Markdown files: the file exists, and so does the heading that an anchor names."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from build.paths import repository

_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)")
_CODE = re.compile(r"^(```+|~~~+).*?^\1|`[^`\n]*`|<!--.*?-->", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.*?)#* *$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    names: set[str] = set()
    for heading in _HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip()).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", name) is not None for name in names)
        names.add(f"{slug}-{number}" if number else slug)
    return names


def broken(root: Path, path: str) -> Iterator[str]:
    """Yield ``path:line: target`` for each link of a page that leads nowhere; links to other sites are not tried."""
    file = root / path
    text = file.read_text(encoding="utf-8")
    # Code is replaced by blanks of the same shape, so that line numbers stay.
    prose = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    for match in _LINK.finditer(prose):
        link = urlsplit(match[1])
        if link.scheme or link.netloc:
            continue
        target = (file.parent / unquote(link.path)).resolve() if link.path else file
        exists = target.is_relative_to(root) and target.exists()
        if exists and link.fragment:
            exists = target.suffix == ".md" and link.fragment in anchors(target.read_text(encoding="utf-8"))
        if not exists:
            yield f"{path}:{prose.count(chr(10), 0, match.start()) + 1}: {match[1]}"


def test_links_lead_to_existing_files_and_headings() -> None:
    root = repository().root
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    pages = [path for path in listed.stdout.split("\0") if path and (root / path).is_file()]
    assert "README.md" in pages
    assert [problem for page in pages for problem in broken(root, page)] == []


def test_broken_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/other.md").write_text("# Other\n\n## On a GPU\n\n## `code`: two words\n\n## On a GPU\n")
    (tmp_path / "page.md").write_text(
        "# Page\n\n[a](docs/other.md), [b](docs/other.md#on-a-gpu), [c](docs/other.md#code-two-words), [d](docs)\n"
        "[e](docs/other.md#on-a-gpu-1), [f](#page), [g](https://site.example/none), `[h](none.md)`\n\n"
        "```text\n[i](none.md)\n```\n\n[j](none.md)\n![k](docs/none.png)\n"
        "[l](docs/other.md#on-a-cpu)\n[m](#none) [n](../)\n"
    )
    assert list(broken(tmp_path, "page.md")) == [
        "page.md:10: none.md",
        "page.md:11: docs/none.png",
        "page.md:12: docs/other.md#on-a-cpu",
        "page.md:13: #none",
        "page.md:13: ../",
    ]
