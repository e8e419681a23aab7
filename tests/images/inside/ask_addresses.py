"""Send a scoring request to the server through each loopback address of its container.

    python -c "$(cat ask_addresses.py)"

Prints the answers as JSON; an address that the container does not have is left out, and one that refuses is null.
Standard library only, and only features of Python 3.7.
"""

import http.client
import json
import socket


def has(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


def ask(address):
    connection = http.client.HTTPConnection(address, 5001, timeout=60)
    try:
        connection.request("POST", "/score", "{}", {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read().decode())
    except OSError:
        return None


if __name__ == "__main__":
    print(json.dumps({address: ask(address) for address in ("127.0.0.1", "::1") if has(address)}))
