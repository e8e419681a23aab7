"""Packages: the files of indexes and wheel directories, wheels' metadata, and whether a wheel meets a requirement.

In: requirement texts, and the Python, glibc and day that wheels must fit (`target.Target`).
Out: the files of distributions, the metadata of wheels, and explanations in plain words.
Effects: ``index``, ``metadata`` and ``wheel_sources`` use the network, run uv and pip, and write to ``.pipeline/``;
the other modules are pure.
"""
