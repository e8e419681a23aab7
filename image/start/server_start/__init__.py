"""The start-up of every image: from the container's environment to Microsoft's scoring server on port 5001.

Runs on the image's Python, 3.7 or newer, before any package is imported: standard library only, but for `worker`.
"""
