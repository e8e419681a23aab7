"""Locks: the exact files of every image, and the recorded Debian packages of every base, below ``locks/``.

In: the matrix, its variants, and the package indexes.  Out: ``lock.Lock`` values and their text.
Effects: ``store`` reads lock files; ``resolve``, ``agree`` and ``make`` run uv and pip and use the network; ``debian``
reads and writes the Debian locks.  No module but ``debian`` writes a lock: ``build.commands.lock`` does.
"""
