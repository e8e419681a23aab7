"""Promoting: a release gets from one registry into another, byte for byte, without an engine.

In: the record of a release and everything that belongs to it, in a registry or in a folder (OCI image layout). Out: the
same digests under the same tags in another one. ``found`` reads the source, ``transfer`` and ``documents`` write to the
target, ``registry_tags`` and ``layout_target`` move the tags; ``decision`` is pure; ``output`` prints.
"""
