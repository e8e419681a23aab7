"""What package indexes, wheel directories and wheels contain, and whether a requirement can be met by a wheel.

In: requirement texts, and the Python, glibc and day that wheels must fit (`target.Target`).
Out: the files of distributions, the metadata of wheels, and explanations in plain words.
Effects: ``index``, ``metadata`` and ``wheel_sources`` use the network, run uv and pip, and write to ``.pipeline/``;
the other modules are pure.
"""
