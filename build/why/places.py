"""Where the new value of a field comes from: a line of the matrix or of a lock, or a file.  Reads committed files."""

from __future__ import annotations

from build.checkout.project import Project
from build.images import file_names
from build.images.image import Image
from build.locks import lock as locks
from build.paths import Paths
from build.why.compare import Change


def place_of(project: Project, image: Image, change: Change) -> str:
    """Return where the new value of a changed field is, from the project's root: ``locks/…/debian.txt:12``.

    Args:
        project: The checkout.
        image: The image.
        change: The change. Of a value that is gone, it is the place where it would be.
    """
    variant, paths = image.variant, project.paths
    match change.field:
        case ("packages", name):
            return _line(paths, project.lock_path(variant), f"{name}==")
        case ("dockerfile",):
            return file_names.image_dockerfile(variant.name)
        case ("layers", name):
            return f"dockerfiles/layers/{variant.base_name}/{name}.txt"
        case ("base", "start", name) | ("base", "base", "start", name):
            return f"image/start/{name}"
        case ("base", "dockerfile"):
            return file_names.base_dockerfile(variant.base_image_name)
        case ("base", "base", "dockerfile"):
            return file_names.base_dockerfile(variant.build_base_name)
        case ("base", "debian", name) | ("base", "base", "debian", name):
            return _line(paths, f"locks/{variant.build_base_name}/debian.txt", f"{name}=")
        case ("base", "bootstrap", *_) | ("base", "base", "bootstrap", *_):
            return project.loaded.where("bases", variant.build_base_name)
        case ("base", "prefix") | ("base", "base", "prefix"):
            return f"locks/{variant.build_base_name}/python.txt"
        case ("builder", "dockerfile"):
            return file_names.builder_dockerfile(variant.build_base_name)
        case ("builder", "uv"):
            return _line(paths, str(locks.path(paths.locks, ".", locks.TOOLS).relative_to(paths.root)), "uv==")
        case ("builder", "python"):
            return project.loaded.where("bases", variant.build_base_name)
        case ("compiler", "dockerfile"):
            return file_names.compiler_dockerfile(variant.build_base_name)
        case ("compiler", "build"):
            return file_names.build_file(variant.base_name)
        case (*_, "scripts", name):
            return f"image/scripts/{name}"
    return ""


def is_text(change: Change) -> bool:
    """Tell whether the values of a field are hashes of a file, so that its lines can be compared."""
    match change.field:
        case (*_, "dockerfile") | (*_, "scripts", _) | (*_, "start", _):
            return True
    return False


def _line(paths: Paths, name: str, start: str) -> str:
    """Return a file with the number of the line that begins so."""
    try:
        lines = (paths.root / name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return name
    numbers = (number for number, line in enumerate(lines, start=1) if line.startswith(start))
    number = next(numbers, None)
    return name if number is None else f"{name}:{number}"
