"""The catalogue of all images: ``docs/images.md``, its record ``docs/images.json``, and a website.

In: the matrix, the locks, and what a registry has of each image. Out: text files. ``remote`` asks the registry and
``site_folder`` writes a directory; the rest is pure.
"""
