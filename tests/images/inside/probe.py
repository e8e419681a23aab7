"""Print what is in an image, as JSON: one call instead of hundreds; runs inside the image.

    python -c "$(cat probe.py)" '{"strays": [], "records": ["pandas"]}'

The argument has the questions, each with its own arguments:

    user /folder ...          what the image's user sees, and the folders that the user may write to
    system /folder ...        the whole file system (as root, who may read everything), and who owns the folders
    records pandas ...        whether the files of distributions match their RECORD
    strays                    files of the environment that no distribution lists
    digests /folder ...       SHA-256 of files
    parts /folder flask ...   digests of the bytecode in a folder and of distributions
    accelerated               whether packages with optional C extensions have them

If a question fails, its answer is the traceback, and the others are answered all the same.
Standard library only, and only features of Python 3.7.
"""
# It walks tens of thousands of files: a Path for each would double the time.
# ruff: noqa: PTH110, PTH111, PTH112, PTH113, PTH114, PTH116, PTH118, PTH119, PTH123, PTH208

import base64
import csv
import hashlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import ssl
import sys
import sysconfig
import traceback

try:
    from importlib import metadata
except ImportError:  # Python 3.7; the server installs the backport
    import importlib_metadata as metadata

COMPILER = re.compile(r"([\w.]+-)*(gcc|g\+\+|cc|c\+\+|cpp|clang|clang\+\+|gfortran|tcc|rustc|nvcc|go)(-[\d.]+)?")
CUDA = re.compile(
    r"lib(cuda|cudart|cudnn|cublas|cufft|cufile|cupti|curand|cusolver|cusparse|cudss|nccl|npp|nvinfer|nvjitlink"
    r"|nvrtc|nvtoolsext)[\w.-]*\.so(\.[\d.]+)?",
    re.IGNORECASE,
)
#: File systems of the running container that are not in the image.
NOT_THE_IMAGE = ("/proc", "/sys", "/dev")
#: How many paths of a kind are listed.
FEW = 20


def user(*folders):
    """Return the user of the process, the commands first on PATH, and the installed distributions."""
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "home": os.path.expanduser("~"),
        "writable": [path for path in folders if os.access(path, os.W_OK | os.X_OK)],
        "python": "{}.{}".format(*sys.version_info),
        "prefix": sys.prefix,
        "first_on_path": {name: shutil.which(name) for name in ("python", "pip", "azmlinfsrv")},
        "distributions": sorted(
            (re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(), found.version)
            for found in metadata.distributions()
        ),
    }


def system(*folders):
    """Return what is in the file system. The arguments are the folders that must belong to the user."""
    return {
        "os": os_release(),
        "foreign": {path: foreign(path, uid=1000, gid=1000) for path in folders},
        "compilers": compilers(),
        "package_caches": package_caches(),
        "secrets": files_below("/run/secrets"),
        "cuda_libraries": cuda_libraries(),
        "certificates": certificates(),
        "bytecode": bytecode(),
        "missing_from_record": missing_from_record(),
        "vendored_inventories": vendored_inventories(),
    }


def records(*names):
    """Compare the files of the distributions with hash and size in RECORD (PEP 376)."""
    count, others = 0, []
    for name in names:
        for file in metadata.distribution(name).files:
            if file.hash is None:
                continue
            count += 1
            with open(str(file.locate()), "rb") as opened:
                content = opened.read()
            digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest()).decode().rstrip("=")
            if (digest, len(content)) != (file.hash.value, file.size):
                others.append(str(file))
    return {"files": count, "others": others[:FEW]}


def strays():
    """Return the files of the environment that no distribution lists, but for bytecode of files that one does."""
    prefix = os.path.realpath(sys.prefix)
    listed = {
        os.path.realpath(str(distribution.locate_file(line[0])))
        for distribution in metadata.distributions()
        for line in csv.reader((distribution.read_text("RECORD") or "").splitlines())
        if line
    }
    found = []
    for folder, folders, names in os.walk(prefix):
        real = os.path.realpath(folder)
        # A linked folder can hide files too.
        for name in names + [each for each in folders if os.path.islink(os.path.join(folder, each))]:
            path = os.path.join(real, name)
            if path not in listed and not is_bytecode_of(path, listed):
                found.append(os.path.relpath(path, prefix))
    return sorted(found)


def is_bytecode_of(path, sources):
    """Tell whether a file is what Python compiles one of these sources to."""
    if not path.endswith(".pyc"):
        return False
    try:
        return importlib.util.source_from_cache(path) in sources
    except ValueError:
        return False


def digests(*places):
    """Return path and SHA-256 of the files below the folders, and of the files, in the arguments; no bytecode."""
    found = {}
    for place in places:
        if os.path.isfile(place):
            found[place] = digest_of(place)
        for folder, _, names in os.walk(place):
            if not folder.endswith("/__pycache__"):
                found.update((os.path.join(folder, name), digest_of(os.path.join(folder, name))) for name in names)
    return found


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def parts(library, *distributions):
    """Return digests of what RECORD does not describe.

    They are of the bytecode of a folder's modules and of distributions' modules, and of the files in the environment's
    root and in ``bin``.
    """
    found = {}
    sources = {"in " + library: [path for path in files_below(library) if path.endswith(".py")]}
    for name in distributions:
        files = [str(file.locate()) for file in metadata.distribution(name).files if file.suffix == ".py"]
        sources["of " + name] = files
    for label, files in sources.items():
        content = hashlib.sha256()
        for cached in sorted(importlib.util.cache_from_source(path) for path in files):
            # The server may have compiled what the image has no bytecode of: packages' own tests.
            if os.path.isfile(cached) and is_of_the_image(cached):
                content.update(f"{os.path.realpath(cached)}:{digest_of(cached)}\n".encode())
        if files:
            found["bytecode " + label] = content.hexdigest()
    for folder in (sys.prefix, os.path.join(sys.prefix, "bin")):
        for entry in sorted(os.listdir(folder)):
            path = os.path.join(folder, entry)
            if os.path.islink(path):
                found[os.path.relpath(path, sys.prefix)] = "-> " + os.readlink(path)
            elif os.path.isfile(path):
                found[os.path.relpath(path, sys.prefix)] = digest_of(path)
    return found


def is_of_the_image(path):
    """Tell whether a file is older than the container: the engine writes /etc/hostname when the container starts."""
    return os.lstat(path).st_mtime < os.stat("/etc/hostname").st_mtime


def missing_from_record():
    """Return the files that RECORD of a distribution lists and that do not exist."""
    # Not Distribution.files: from Python 3.12 it leaves out the missing ones.
    found = [
        line[0]
        for distribution in metadata.distributions()
        for line in csv.reader((distribution.read_text("RECORD") or "").splitlines())
        if line and not os.path.exists(str(distribution.locate_file(line[0])))
    ]
    return sorted(found)[:FEW]


def vendored_inventories():
    """Return the inventories (CycloneDX, SPDX) of packages that others contain, below site-packages."""
    root = sysconfig.get_path("purelib")
    return [
        os.path.join(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if re.search(r"[.-](cdx|cyclonedx|spdx)[.](json|xml)$|^s?bom[.]", name) and not folder.endswith("/sboms")
    ][:FEW]


def accelerated():
    try:
        return bool(importlib.import_module("wrapt._wrappers").__file__)
    except ImportError:
        return False


def os_release():
    with open("/etc/os-release") as file:
        values = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return values["ID"].strip('"') + values.get("VERSION_ID", "").strip('"')


def foreign(path, uid, gid):
    """Return what is in ``path`` and does not belong to the user; the path itself if it is missing."""
    if not os.path.isdir(path):
        return [path + " (missing)"]
    entries = {path}
    for folder, folders, files in os.walk(path):
        entries.update(os.path.join(folder, name) for name in folders + files)
    owners = ((entry, os.lstat(entry)) for entry in sorted(entries))
    found = [f"{entry} ({at.st_uid}:{at.st_gid})" for entry, at in owners if (at.st_uid, at.st_gid) != (uid, gid)]
    return found[:FEW]


def compilers():
    folders = set(os.environ["PATH"].split(":")) | {"/usr/local/bin", "/usr/bin", "/usr/local/cuda/bin"}
    return sorted(
        os.path.join(folder, name)
        for folder in folders
        if os.path.isdir(folder)
        for name in os.listdir(folder)
        if COMPILER.fullmatch(name)
    )


def package_caches():
    """Return apt's downloaded archives and lists, and the caches of pip, uv and others.

    Files newer than the container do not count: ONNX Runtime writes some when the server imports it.
    """
    found = [path for path in files_below("/var/lib/apt/lists") if os.path.basename(path) != "lock"]
    found += [path for path in files_below("/var/cache/apt") if os.path.basename(path) != "lock"]
    for home in ["/root"] + [os.path.join("/home", name) for name in os.listdir("/home")]:
        for cache in (".cache", ".npm", ".conda", ".cargo"):
            found += files_below(os.path.join(home, cache))
    return [path for path in found if is_of_the_image(path)][:FEW]


def files_below(path):
    return [os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files]


def cuda_libraries():
    """Return the real path of each CUDA library (links do not count as copies)."""
    found = set()
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in NOT_THE_IMAGE]
        found.update(os.path.realpath(os.path.join(folder, name)) for name in files if CUDA.fullmatch(name))
    return sorted(found)


def certificates():
    """Compare the system's trusted certificates with those of Debian's own package."""
    folder = "/usr/share/ca-certificates"
    with open("/etc/ca-certificates.conf") as file:
        enabled = [line.strip() for line in file if line.strip() and line[0] not in "#!"]
    with open("/var/lib/dpkg/info/ca-certificates.md5sums") as file:
        checksums = {"/" + path: md5 for md5, path in (line.rstrip("\n").split("  ", 1) for line in file)}
    trusted = pem("/etc/ssl/certs/ca-certificates.crt")
    debian = set()
    changed = []
    for path in [os.path.join(folder, name) for name in enabled]:
        with open(path, "rb") as file:
            if hashlib.md5(file.read()).hexdigest() != checksums.get(path):
                changed.append(path)
        debian |= pem(path)
    return {
        "trusted": len(trusted),
        "added": len(trusted - debian),
        "missing": len(debian - trusted),
        "changed": changed,
        "local": files_below("/usr/local/share/ca-certificates"),
    }


def pem(path):
    with open(path) as file:
        blocks = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", file.read(), re.DOTALL)
    return {hashlib.sha256(ssl.PEM_cert_to_DER_cert(block)).hexdigest() for block in blocks}


def bytecode():
    """Count modules whose bytecode is missing, outdated, or checked by hash instead of time and size."""
    total, missing, stale, hashed = 0, [], [], []
    for root in {sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")}:
        for folder, folders, files in os.walk(root):
            if "__pycache__" in folders:
                folders.remove("__pycache__")
            for name in files:
                if not name.endswith(".py"):
                    continue
                path = os.path.join(folder, name)
                if re.search(r"/tests?/(.*/)?(test_[^/]*|conftest)[.]py$", path):
                    continue  # packages' own tests, which install-layer does not compile
                total += 1
                try:
                    with open(importlib.util.cache_from_source(path), "rb") as file:
                        header = file.read(16)
                except OSError:
                    missing.append(path)
                    continue
                # PEP 552: magic number, flags (0: by time and size), time, size
                flags, time, size = (int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12))
                status = os.stat(path)
                if flags:
                    hashed.append(path)
                elif header[:4] != importlib.util.MAGIC_NUMBER or (time, size) != (
                    int(status.st_mtime) & 0xFFFFFFFF,
                    status.st_size & 0xFFFFFFFF,
                ):
                    stale.append(path)
    return {
        "modules": total,
        "missing": len(missing),
        "some_missing": missing[:FEW],
        "stale": stale[:FEW],
        "hashed": hashed[:FEW],
    }


def answers(questions):
    """Return question → its answer, or the traceback of its failure."""
    found = {}
    for name, arguments in questions.items():
        try:
            found[name] = {"answer": globals()[name](*arguments)}
        except Exception:  # noqa: BLE001 - whatever is wrong with the image
            found[name] = {"failure": traceback.format_exc()}
    return found


if __name__ == "__main__":
    print(json.dumps(answers(json.loads(sys.argv[1]))))
