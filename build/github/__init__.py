"""GitHub Actions: the variables and files of a job, and pull requests and issues.

In: the environment variables of a job. Out: lines in the files that GitHub reads after a step (``files``); a branch
with a pull request (``changes``, ``pull_request``) and an issue (``issue``), by ``git`` and ``gh``. All of these are
effects, but ``job`` and ``login`` only read variables.
"""
