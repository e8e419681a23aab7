"""New entries of the matrix: what `nox -s new` writes for a framework or a version that the index has.  Pure.

In: the files of a distribution in the index, and the bases. Out: the release to pin, the text of its entry, and the
beginning of its scoring script.
"""
