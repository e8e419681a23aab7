"""A failure that ends the container: one line, and an exit code that is part of the images' contract."""

from __future__ import annotations

#: No scoring script, no app root, or a variable that makes no sense.
WRONG_SETTING = 1
#: The server's own: the scoring script could not be imported, its init() failed, or a worker died in it.
SCRIPT_FAILED = 3
#: pip could not install AZUREML_EXTRA_REQUIREMENTS_TXT.
REQUIREMENTS_FAILED = 95
#: AZUREML_EXTRA_PYTHON_LIB_PATH is no directory.
NO_LIBRARY = 97
#: AZUREML_EXTRA_CONDA_YAML is set.
NO_CONDA = 98
#: AZUREML_EXTRA_REQUIREMENTS_TXT is no file.
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
