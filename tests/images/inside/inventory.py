"""Print every package in the image with its licence, as JSON: Python distributions and Debian packages.

Runs inside an image. Standard library only, and only features of Python 3.7. The licence of a package that does not
name one is None: nothing is guessed.
"""

import json
import re
from pathlib import Path

try:
    from importlib import metadata
except ImportError:  # Python 3.7; the server installs the backport
    import importlib_metadata as metadata

STATUS = Path("/var/lib/dpkg/status")
COPYRIGHT = "/usr/share/doc/{}/copyright"
#: Some distributions put the whole licence into the field for its name. A first line longer than this is not a name.
LONG = 100


def python_packages():
    found = []
    for distribution in metadata.distributions():
        fields = distribution.metadata
        licence, source = python_licence(
            fields.get("License-Expression"), fields.get("License"), fields.get_all("Classifier") or []
        )
        found.append(
            {
                "name": re.sub(r"[-_.]+", "-", fields["Name"]).lower(),
                "version": distribution.version,
                "licence": licence,
                "licence_source": source,
                "summary": fields.get("Summary"),
            }
        )
    return sorted(found, key=lambda package: package["name"])


def python_licence(expression, text, classifiers):
    """Return a distribution's licence, and the field of its metadata that names it.

    https://packaging.python.org/en/latest/specifications/core-metadata/: License-Expression is exact (PEP 639);
    before it, License was free text and the classifiers were coarse.
    """
    known = [" :: ".join(item.split(" :: ")[2:]) or item.split(" :: ")[-1] for item in classifiers
             if item.startswith("License :: ") and item != "License :: OSI Approved"]  # fmt: skip
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    short = lines[0] if lines and lines[0].upper() != "UNKNOWN" and len(lines[0]) <= LONG else None
    if expression:
        return expression, "License-Expression"
    if short and len(lines) == 1:
        return short, "License"
    if known:
        return " or ".join(known), "classifiers"
    if short and not short.lower().startswith("copyright"):
        return short, "first line of License"
    return None, None


def debian_packages():
    if not STATUS.is_file():
        return []
    found = []
    for paragraph in STATUS.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", paragraph, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        copyright_file = Path(COPYRIGHT.format(fields["Package"]))
        licence, source = None, None
        if copyright_file.is_file():
            licence, source = debian_licence(copyright_file.read_text(encoding="utf-8", errors="replace"))
        found.append(
            {
                "name": fields["Package"],
                "version": fields["Version"],
                "licence": licence,
                "licence_source": source,
                "summary": fields.get("Description"),
            }
        )
    return sorted(found, key=lambda package: package["name"])


def debian_licence(text):
    """Return a Debian package's licences by its copyright file: the names by DEP 5, else the common ones it refers to.

    https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
    """
    if re.match(r"Format(-Specification)?: *\S*copyright-format/1\.0", text.lstrip("\ufeff\n ")):
        names = re.findall(r"^License: *(\S.*?) *$", text, re.MULTILINE)
        if names:
            return ", ".join(sorted(set(names), key=names.index)), "copyright file (DEP 5)"
    referred = [name.rstrip(".") for name in re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.-]+)", text)]
    if referred:
        return ", ".join(sorted(set(referred), key=referred.index)), "licences that the copyright file refers to"
    return None, None


if __name__ == "__main__":
    print(json.dumps({"python": python_packages(), "debian": debian_packages()}))
