"""os.fork() in run()."""

import os


def init():
    pass


def run(data):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"from the child")
        os._exit(7)
    os.close(write)
    text = os.read(read, 100).decode()
    os.close(read)
    status = os.waitpid(child, 0)[1]
    return {"text": text, "exit": os.WEXITSTATUS(status)}
