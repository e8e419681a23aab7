"""The user's script, for processes that multiprocessing and joblib start: they import functions by name.

In the server itself, this file is not imported: Microsoft's server imports the script under the same name.
"""

import importlib.util
import os
import sys

# The server has made the path absolute.
spec = importlib.util.spec_from_file_location(__name__, os.environ["AZUREML_ENTRY_SCRIPT"])
assert spec is not None
assert spec.loader is not None
sys.modules[__name__] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[__name__])
