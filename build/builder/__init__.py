"""Build images: from the selected images to images in the engine, without building what it already has.

In: a checkout, its images, a connected engine, the place where images are kept: the engine, or a registry to which a
builder without an image store pushes. Out: an outcome for each image, with a `BuiltImage` where it exists.

Effects: runs `docker buildx bake`, fetches wheels, prepares bases, and pulls what was pushed (in ``builder``,
``batch``, ``bake``, ``places``, ``wheels``, ``registry_image``). The other modules compute recipes, overrides and
causes of failures, and change nothing.
"""
