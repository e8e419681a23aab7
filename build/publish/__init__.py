"""Publishing: verified images get into a registry, and their tags move together.

In: images in the engine, with their recipes and test reports. Out: the references under which the registry has them.
``publish`` has effects on the registry, and on the names of images in the engine; ``output`` prints; ``publication`` is
pure.
"""
