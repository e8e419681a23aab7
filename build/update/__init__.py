"""Update: newer pins, new versions of frameworks, newer packages and bases, as far as the matrix's rules allow.

In: the matrix, what the indexes and Debian's archive have, a day.  Out: ``decide.Decision`` and
``additions.Added`` values, a changed project in a folder of its own, and a ``report.Report``.
Effects: ``lookup`` and ``relock`` use the network and run uv; ``bases`` runs mmdebstrap; ``staging`` copies the
project, and puts the changed files in place; the other modules are pure.
"""
