"""The checkout: a project's matrix, images and locks as one value, which every command starts from.

In: the paths of a project and of the tool.  Out: ``project.Project``.
Effects: reads ``matrix.yaml`` and the locks; writes nothing.
"""
