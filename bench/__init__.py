"""The benchmark: this pipeline next to plain Dockerfiles, and the speed of its small commands.

In: a checkout, and this machine.  Out: a table and a JSON file of figures.  It starts an engine and registries of its
own, and deletes them at its end; ``bench/README.md`` explains what is measured.
"""
