"""From ``matrix.yaml`` to tested images in a registry.

The flow, one package for each step: ``matrix`` → ``variants`` → ``locks`` → ``images`` → ``bases`` → ``builder`` →
``verify`` → ``publish`` → ``catalogue``.  ``docs/architecture.md`` describes them.
"""
