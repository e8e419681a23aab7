"""Test built images in running containers, and keep what the tests found.

In: images in an engine with what the matrix and the locks promise of each (`target.Target`), and the image tests.
Out: a result for each image (`results.VerifyResult`), a report of each that passed (`reports`), and a record of it
(`verified`), without which nothing is published. Has effects: starts pytest and containers, writes to ``.pipeline/``.
"""
