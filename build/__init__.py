"""From ``matrix.yaml`` to tested images in a registry.

The flow, a module a step: ``matrix`` → ``variants`` → ``locks`` → ``layers`` → ``render`` → ``bases`` →
``bake`` → ``verify`` → ``publish``.  Each step is data in, data out; the effects (the engine, the registry,
files) are in the modules named after them.
"""
