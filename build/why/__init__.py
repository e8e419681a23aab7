"""Explain why an image would be built again: what differs between its recipe and that of a published image.

In: the inputs of two recipes (`published` reads the old ones from a registry). Out: changes (`compare`), each with the
file that the new value comes from (`places`), as text or JSON (`output`).
"""
