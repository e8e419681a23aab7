"""Decide what is left to do for each image, from the committed files and the registry alone; no engine is needed.

In: images with their recipes and the hashes of their tests (`question.Question`). Out: a state for each image
(`states`), from what the registry answers (`answers`). `fetch` brings an image that the registry has into an engine.
"""
