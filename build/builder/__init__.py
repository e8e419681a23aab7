"""Build images: from the selected images to images in the engine, without building what it already has.

In: a checkout, its images, a connected engine. Out: an outcome for each image, with a `BuiltImage` where it exists.

Effects: runs `docker buildx bake`, fetches wheels, and prepares bases (in ``builder``, ``batch``, ``bake``, ``wheels``,
``registry_image``). The other modules compute recipes, overrides and causes of failures, and change nothing.
"""
