"""The effects that are not about images: processes, HTTP, files of state, templates, the terminal, threads.

In: commands, addresses, paths, texts. Out: their output, answers and content. All modules have effects but ``retries``
and ``http_failures``.
"""
