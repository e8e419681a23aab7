"""Compare published images and releases: packages, configuration, layers, and what a machine fetches for the new one.

In: two references (`references`), read from one registry or two (`read`, `layers`, `releases`). Out: what differs
(`compare`, `release_difference`), as text for a terminal, Markdown or JSON. Reads registries; changes nothing.
"""
