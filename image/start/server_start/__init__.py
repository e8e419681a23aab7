"""Start Microsoft's scoring server on port 5001 by the environment variables of the container.

It runs on the image's Python (3.7 or newer) before any package is imported: only `starting` and `worker` import more
than the standard library.
"""
