"""A script that prints a lot: 10 MB in one request, progress bars, and text on standard error."""

import sys

LINE = "x" * 99


def init():
    print("loading", flush=True)


def run(data):
    for _ in range(50_000):
        print(LINE)
    for percent in range(0, 101, 10):
        sys.stderr.write(f"\r{percent:3} %")
    sys.stderr.write("\n")
    for _ in range(50_000):
        sys.stdout.write(LINE + "\n")
    print("printed 10 MB")
    return "done"
