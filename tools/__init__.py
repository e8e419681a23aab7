"""Checks of this repository that `nox -s lint` runs.

In: tracked files and the settings of this machine. Out: lines that say what is wrong. No module changes anything.
"""
