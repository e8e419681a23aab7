"""Compare published images and releases: packages, configuration, layers, and what a machine fetches for the new one.

In: two references (`references`), read from registries or folders (`sources`, `read`, `layers`, `releases`). Out: what
differs (`compare`, `release_difference`), as text for a terminal, Markdown or JSON. Changes nothing.
"""
