"""Find what this machine lacks for building, testing and publishing, and say how to get it.

In: the images that a command would make, and the environment (`setting`). Out: findings (`finding`), in the order of
the checks (`checks`), as text or JSON (`output`). The checks are independent of each other and change nothing: they
read files, run programs that report versions, and ask the engine, the package index and the registry. To find out
whether the login may push, an upload to the registry is begun and cancelled.
"""
