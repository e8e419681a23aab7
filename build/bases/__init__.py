"""Bases: their root file systems, their Python, and the facts of them that recipes need.

In: a base of the matrix, and this clone.  Out: ``facts.BaseFacts``, which is read without any effect; and files in
``.pipeline/``, which ``prepare`` makes: it runs mmdebstrap, uv and Python, and uses the network.
"""
