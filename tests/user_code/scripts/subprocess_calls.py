"""Other programs: a command's output, a timeout, a background child, a shell that leaves an orphan."""

import json
import os
import subprocess
import sys
import time


def init():
    global helper
    # A helper program that runs as long as the server.
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])


def run(data):
    how = json.loads(data)["how"]
    if how == "output":
        return subprocess.check_output(["sh", "-c", "echo $0 $1", "hello", "world"], text=True).strip()
    if how == "exit code":
        return subprocess.run(["sh", "-c", "exit 7"]).returncode
    if how == "timeout":
        try:
            subprocess.run(["sleep", "600"], timeout=0.2)
        except subprocess.TimeoutExpired as error:
            return f"timed out: {error.cmd[0]}"
    if how == "terminate":
        process = subprocess.Popen(["sleep", "600"])
        process.terminate()
        return process.wait(5)
    if how == "background":
        subprocess.Popen(["sh", "-c", "sleep 0.3; exit 3"])
        return "started"
    if how == "orphan":
        return os.system("(sleep 0.3; exit 3) & true")
    if how == "rest":
        time.sleep(0.6)  # what was started in the background ends meanwhile
        return helper.poll()
    return "unknown"
