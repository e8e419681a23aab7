"""Answer input that does not fit the script's schema with status 400 and the reason, as other bad input.

`inference_schema` converts the input inside the decorated run(), so for Microsoft's server the script has failed: it
answers with status 500, and the reason is only in the log.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable

from server_start.at_import import at_import

#: The module of the decorators; only scripts with a schema import it.
DECORATORS = "inference_schema.schema_decorators"
#: What conversions raise for wrong input; `inference_schema` itself also raises plain `Exception`.
OF_THE_INPUT = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
#: The longest reason that is sent, in characters: it may quote the input.
LONGEST = 500


class InputDoesNotFitError(Exception):
    """The input cannot be converted to what the schema of a parameter says; the message is for the client."""


def install() -> None:
    """Intercept the import of the decorators. Call this before the script is imported."""
    at_import(DECORATORS, _load)


def _load(module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
    """Load the decorators, and change how they and the server treat input that does not fit."""
    execute(module)
    _name_reasons(module)
    _answer_with_reasons()


def _name_reasons(decorators: Any) -> None:
    convert = getattr(decorators, "_deserialize_input_argument", None)
    if convert is None:  # a version that a user installed
        return

    def convert_or_name_reason(input_data: Any, param_type: Any, param_name: str) -> Any:
        try:
            return convert(input_data, param_type, param_name)
        except Exception as error:
            if isinstance(error, OF_THE_INPUT) or type(error) is Exception:
                raise InputDoesNotFitError(describe(param_name, error)) from error
            raise

    # Its recursive calls for nested parameters get here too, and name the innermost one.
    decorators._deserialize_input_argument = convert_or_name_reason


def describe(parameter: str, error: Exception) -> str:
    """Return a line for the client: which parameter does not fit its schema, and why."""
    reason = " ".join(str(error).split())
    if isinstance(error, (LookupError, ArithmeticError, AttributeError)):  # their texts alone say little: 'a'
        reason = f"{type(error).__name__}: {reason}"
    if len(reason) > LONGEST:
        reason = reason[:LONGEST] + " ..."
    return f"The value of the {parameter!r} parameter does not fit its schema: {reason}"


def _answer_with_reasons() -> None:
    from azureml_inference_server_http.server import user_script
    from azureml_inference_server_http.server.input_parsers import BadInput

    invoke = user_script.UserScript.invoke_run

    def invoke_run(script: Any, request: Any, **options: Any) -> Any:
        try:
            return invoke(script, request, **options)
        except user_script.UserScriptException as failure:
            if isinstance(failure.user_ex, InputDoesNotFitError):
                user_script.logger.warning(str(failure.user_ex))
                raise BadInput(str(failure.user_ex)) from failure
            raise

    user_script.UserScript.invoke_run = invoke_run
