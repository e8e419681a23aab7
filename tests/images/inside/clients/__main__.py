"""Clients that behave as real ones do, also badly; runs in a container next to the server's.

    python -B clients FUNCTION '{"to": {"host": "172.17.0.2", "tls": false}, …}'

Prints what the function returns, as JSON. `hold`, `burst` and `keep` print a line before that, when their clients are
there. Standard library only, and only features of Python 3.7.
"""

import json
import os
import resource
import sys

from conversations import converse
from held import hold
from load import load
from many import burst, keep
from probes import probe, wait

FUNCTIONS = {function.__name__: function for function in (hold, wait, probe, burst, keep, converse, load)}

if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(json.dumps(FUNCTIONS[sys.argv[1]](**json.loads(sys.argv[2]))), flush=True)
    os._exit(0)  # some threads may still wait for answers
