"""The matrix: what ``matrix.yaml`` says, as models, with the line of each key for error messages.

In: the file.  Out: ``reader.LoadedMatrix``; the schema and the reference page of the file's keys.  Effects: it reads
the file, and nothing else.
"""
