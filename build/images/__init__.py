"""Images before they are built: layers, patches, Dockerfiles, labels, recipes, assets.

In: variants, locks and the matrix.  Out: texts and values.  No effects, but for reading templates.
"""
