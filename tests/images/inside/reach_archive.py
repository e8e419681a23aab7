"""Print, as JSON, why the distribution's archive cannot be reached, or null if it can; runs inside a container.

Requests the index file of the first of apt's sources. Standard library only, and only features of Python 3.7.
"""

import json
import re
import urllib.request
from pathlib import Path

#: Seconds.
PATIENCE = 10


def index():
    """Return the URL of the first source's index. apt has two formats of sources."""
    apt = Path("/etc/apt")
    files = [*apt.glob("sources.list"), *apt.glob("sources.list.d/*")]
    text = "\n".join(path.read_text() for path in files)
    line = re.search(r"^deb\s+(?:\[.*?\]\s*)?(\S+)\s+(\S+)", text, re.MULTILINE)
    if line:
        return "{}/dists/{}/InRelease".format(*line.groups())
    uri = re.search(r"^URIs:\s*(\S+)", text, re.MULTILINE)
    suite = re.search(r"^Suites:\s*(\S+)", text, re.MULTILINE)
    return f"{uri.group(1)}/dists/{suite.group(1)}/InRelease"


if __name__ == "__main__":
    url = index()
    try:
        urllib.request.urlopen(url, timeout=PATIENCE).close()
        print("null")
    except OSError as error:
        print(json.dumps(f"{url}: {error}"))
