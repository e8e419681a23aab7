"""Print what the CUDA libraries and the framework of an image report of themselves, as JSON; runs inside the image.

    python -c "$(cat probe_cuda.py)" FRAMEWORK LIBRARY...

No GPU and no driver is needed. Standard library only, and only features of Python 3.7. The framework is imported if
there is one.
"""
# It walks tens of thousands of files: a Path for each would double the time.
# ruff: noqa: PTH110, PTH118, PTH119, PTH123

import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import sysconfig

#: Tags of an ELF file's segments and of its dynamic section (https://refspecs.linuxfoundation.org/elf/gabi4+/).
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB, DT_SONAME = 1, 5, 14
#: Libraries that report their version by a function ``<name>GetProperty``.
PROPERTIES = ("cublas", "cublasLt", "cufft", "curand", "cusolver", "cusparse")


def dynamic(path):
    """Return SONAME and NEEDED of a shared library (no image has readelf), or None for another file."""
    with open(path, "rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian
            return None
        offset, size, count = struct.unpack_from("<Q", header, 32) + struct.unpack_from("<HH", header, 54)
        file.seek(offset)
        table = file.read(size * count)
        segments = [struct.unpack_from("<IIQQQQ", table, size * index) for index in range(count)]
        entries = []
        for kind, _, at, _, _, length in segments:
            if kind == PT_DYNAMIC:
                file.seek(at)
                entries = list(struct.iter_unpack("<qQ", file.read(length // 16 * 16)))
        strings = [value for tag, value in entries if tag == DT_STRTAB]
        starts = [
            at + strings[0] - address
            for kind, _, at, address, _, length in segments
            if kind == PT_LOAD and strings and address <= strings[0] < address + length
        ]
        if not starts:
            return None

        def text(position):
            file.seek(starts[0] + position)
            return file.read(4096).split(b"\0", 1)[0].decode()

        names = [text(value) for tag, value in entries if tag == DT_SONAME]
        return {
            "soname": names[0] if names else os.path.basename(path),
            "needed": [text(value) for tag, value in entries if tag == DT_NEEDED],
        }


def load(soname):
    """Load a library by its name alone, as programs' loaders do, and return its path and version."""
    library = ctypes.CDLL(soname)
    with open("/proc/self/maps") as file:
        mapped = {line.split(None, 5)[5].rstrip("\n") for line in file if "/" in line}
    paths = sorted(path for path in mapped if os.path.exists(path) and (dynamic(path) or {}).get("soname") == soname)
    real = [os.path.realpath(path) for path in paths]
    return {"paths": real, "version": version(library, soname, real)}


def version(library, soname, paths):
    """Return the numbers of its version, as many as it reports, or None if it has no such function."""
    name = soname[len("lib") :].split(".so")[0]
    number, minor = ctypes.c_int(-1), ctypes.c_int(-1)
    if name == "cudart":
        if library.cudaRuntimeGetVersion(ctypes.byref(number)):
            # Before CUDA 12 it only works with a driver, but the file name has the version: libcudart.so.11.8.89.
            versions = [[int(part) for part in re.findall(r"[0-9]+", path.rpartition(".so.")[2])] for path in paths]
            return max(versions, key=len)[:2]
        return [number.value // 1000, number.value % 1000 // 10]
    if name == "cudnn":
        library.cudnnGetVersion.restype = ctypes.c_size_t
        return cudnn_numbers(library.cudnnGetVersion())
    if name == "nccl":
        library.ncclGetVersion(ctypes.byref(number))
        return [number.value // 10000, number.value % 10000 // 100, number.value % 100]
    if name == "nvrtc":
        library.nvrtcVersion(ctypes.byref(number), ctypes.byref(minor))
        return [number.value, minor.value]
    if name in PROPERTIES:
        numbers = []
        for which in range(3):  # MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL
            getattr(library, name + "GetProperty")(which, ctypes.byref(number))
            numbers.append(number.value)
        return numbers
    return None


def ask(soname):
    """``load`` in a process of its own: a library that is already loaded would be found by name in any folder."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = load(soname)
        except (OSError, AttributeError) as error:  # not found, or another library by this name
            answer = {"paths": [], "version": None, "error": str(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(answer) if answer else {"paths": [], "version": None, "error": f"ended with status {status}"}


def needing(sonames):
    """Return the installed files that need CUDA libraries, each with the libraries that its loader does not find."""
    found = {}
    root = sysconfig.get_path("purelib")
    for folder, folders, files in os.walk(root):
        if folder == root and "nvidia" in folders:
            folders.remove("nvidia")
        for path in [os.path.join(folder, name) for name in files if re.search(r"\.so(\.|$)", name)]:
            read = dynamic(path)
            if read and set(read["needed"]) & sonames:
                listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE).stdout.decode()
                found[path] = re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE)
    return found


def framework(name):
    """Return what a framework was built for, and what it offers without a GPU; None for an unknown framework."""
    if name == "onnxruntime":
        import onnxruntime
        from onnxruntime.capi import build_and_package_info

        return {
            "cuda": getattr(build_and_package_info, "cuda_version", None),
            "cudnn": getattr(build_and_package_info, "cudnn_version", None),
            "offers": onnxruntime.get_available_providers(),
        }
    if name == "pytorch":
        import torch

        return {
            "cuda": torch.version.cuda,
            "cudnn": ".".join(map(str, cudnn_numbers(torch.backends.cudnn.version()))),
            "offers": ["cuda"] if torch.backends.cuda.is_built() else [],
            "gpus": torch.cuda.device_count(),
        }
    if name == "tensorflow":
        import tensorflow

        built = tensorflow.sysconfig.get_build_info()
        return {
            "cuda": built.get("cuda_version"),
            "cudnn": built.get("cudnn_version"),
            "offers": ["cuda"] if tensorflow.test.is_built_with_cuda() else [],
            "gpus": len(tensorflow.config.list_physical_devices("GPU")),
        }
    if name == "xgboost":
        import xgboost

        built = xgboost.build_info()
        return {
            "cuda": ".".join(map(str, built.get("CUDA_VERSION", []))) or None,
            "cudnn": None,
            "nccl": ".".join(map(str, built.get("NCCL_VERSION", []))) or None,
            "offers": ["cuda"] if built.get("USE_CUDA") else [],
        }
    return None


def cudnn_numbers(number):
    """Split cuDNN's version number: 91200 is 9.12.0; before version 9, 8005 is 8.0.5."""
    major = 10000 if number >= 90000 else 1000
    return [number // major, number % major // 100, number % 100]


def main(name, *paths):
    libraries = {path: dynamic(path) for path in paths}
    sonames = {read["soname"] for read in libraries.values() if read}
    print(
        json.dumps(
            {
                "libraries": {path: read and read["soname"] for path, read in libraries.items()},
                "loaded": {soname: ask(soname) for soname in sorted(sonames)},
                "needing": needing(sonames),
                "framework": framework(name),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
