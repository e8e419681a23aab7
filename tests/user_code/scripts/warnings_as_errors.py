"""Warnings: some are shown, some are errors."""

import warnings


def init():
    warnings.simplefilter("always")
    warnings.warn("the model is old", UserWarning)


def run(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            warnings.warn("deprecated input", DeprecationWarning)
        except DeprecationWarning as error:
            return f"caught: {error}"
