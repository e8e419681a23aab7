"""Variants: the images of a matrix, and the selection of some of them.

In: a matrix that was read.  Out: frozen ``Variant`` values.  No effects.
"""
