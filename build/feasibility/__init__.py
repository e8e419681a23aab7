"""Feasibility: why cells of the matrix can or cannot be built, before anything is built.

In: a project.  Out: a ``cells.Verdict`` per cell, and errors and lines of text made from them (``reports``).
Effects: ``facts`` searches package indexes and wheel directories; ``cells``, ``excludes`` and ``resolving`` run uv;
``cuda_agreement`` reads the metadata of wheels and remembers it in ``.pipeline/``.
"""
