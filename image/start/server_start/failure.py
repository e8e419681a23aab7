"""Failures that end the container with one line and an exit code. The codes are part of the images' contract."""

from __future__ import annotations

#: The scoring script or the app root does not exist, or a variable has an invalid value.
WRONG_SETTING = 1
#: The server's own code: the scoring script could not be imported, its init() failed, or a worker died in init().
SCRIPT_FAILED = 3
#: pip could not install AZUREML_EXTRA_REQUIREMENTS_TXT.
REQUIREMENTS_FAILED = 95
#: AZUREML_EXTRA_PYTHON_LIB_PATH is not a directory.
NO_LIBRARY = 97
#: AZUREML_EXTRA_CONDA_YAML is set.
NO_CONDA = 98
#: AZUREML_EXTRA_REQUIREMENTS_TXT is not a file.
NO_REQUIREMENTS = 99


class StartFailure(Exception):
    """The server cannot be started.

    Args:
        message: What is wrong and what to do, in one line.
        code: The container's exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
