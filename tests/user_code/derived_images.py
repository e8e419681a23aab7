"""The Dockerfiles in `dockerfiles/`: the requests to the images that they make, and what must happen."""

from __future__ import annotations

from collections.abc import Sequence

from tests.user_code.case import Derived, Request

APP = "/var/azureml-app"
NO_CONDA = "conda: not found"


def tells(
    *,
    uid: int = 1000,
    folder: str = APP,
    script: str = f"{APP}/score.py",
    model: Sequence[str] | None = None,
    **modules: bool,
) -> Request:
    """Return a request to the script of most Dockerfiles, with what it must tell of its surroundings."""
    answer = {"uid": uid, "folder": folder, "script": script, "model": model, "modules": modules}
    return Request(body={"modules": list(modules)}, answer=answer)


PACKAGED = "/var/azureml-package-resources"

DOCKERFILES = (
    Derived(dockerfile="runsvdir_ending.dockerfile", requests=[tells(model=["model.txt"])], in_ci=True),
    Derived(
        dockerfile="packaged_model.dockerfile",
        requests=[tells(script=f"{PACKAGED}/score.py", model=["model.txt"])],
        in_ci=True,
    ),
    # conda
    Derived(dockerfile="conda_environment.dockerfile", build_fails=NO_CONDA, in_ci=True),
    Derived(dockerfile="conda_environment_with_pip.dockerfile", network=True, requests=[tells(humanize=True)]),
    Derived(dockerfile="conda_update.dockerfile", build_fails=NO_CONDA),
    Derived(dockerfile="conda_install.dockerfile", build_fails="/opt/miniconda/etc/profile.d/conda.sh: No such file"),
    # Other servers and services
    Derived(
        dockerfile="extra_service.dockerfile",
        requests=[tells()],
        log=["/var/runit/side"],
        in_ci=True,
    ),
    Derived(
        dockerfile="extra_service_in_script.dockerfile",
        requests=[tells()],
    ),
    Derived(
        dockerfile="fastapi_instead.dockerfile",
        network=True,
        port=8080,
        requests=[Request(body={"x": [1, 2]}, answer={"doubled": [2, 4]})],
    ),
    Derived(
        dockerfile="entry_point.dockerfile",
        requests=[tells(model=["model.txt"])],
        log=["the user's entry point prepares something"],
    ),
    Derived(
        dockerfile="start_script.dockerfile", requests=[tells()], log=["starting services"], grace=2, stop_code=137
    ),
    # Users and folders
    Derived(
        dockerfile="own_user.dockerfile",
        requests=[tells(uid=1001, folder="/home/pythonmlops/app", script="/home/pythonmlops/app/score.py")],
    ),
    Derived(dockerfile="root_to_the_end.dockerfile", requests=[tells(uid=0)]),
    Derived(dockerfile="app_folder.dockerfile", requests=[tells(folder="/app", script="/app/score.py")]),
    # Packages
    Derived(
        dockerfile="second_environment.dockerfile", network=True, requests=[tells(humanize=False)], log=["/opt/other"]
    ),
    Derived(dockerfile="second_environment_as_folder.dockerfile", network=True, requests=[tells(humanize=True)]),
    Derived(dockerfile="opencv_from_debian.dockerfile", network=True, requests=[tells(cv2=False)]),
    Derived(dockerfile="opencv_from_pip.dockerfile", network=True, requests=[tells(cv2=True)]),
    Derived(dockerfile="opencv_with_libraries.dockerfile", network=True, requests=[tells(cv2=True)]),
    Derived(dockerfile="stages.dockerfile", network=True, requests=[tells(humanize=True)]),
    Derived(dockerfile="pip_upgraded.dockerfile", network=True, requests=[tells(humanize=True)]),
    Derived(dockerfile="server_again.dockerfile", network=True, requests=[tells()]),
    Derived(dockerfile="pip_for_the_user.dockerfile", build_fails="Can not perform a '--user' install"),
)
