"""The commands of `nox -s …`: a module for each, imported when its command runs.

In: options of the command line. Out: results on standard output, progress on standard error, failures as exceptions
(``build.cli`` prints them). Effects: all of the packages below.
"""
