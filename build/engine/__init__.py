"""The Docker engine with BuildKit: find it, connect to it, look up its images, or start one of our own.

In: the environment of the command (``DOCKER_HOST``, Docker's contexts and sockets). Out: a ``Connection``.

Effects: only ``install`` (packages of the system), ``daemon`` (our own engine) and ``embedded_registry`` (a container)
change anything.
"""
