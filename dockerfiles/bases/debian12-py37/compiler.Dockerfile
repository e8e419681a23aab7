# Generated from matrix.yaml by `nox -s generate`; do not edit.
# Where packages of debian12-py37 that exist as source alone are built: its builder, a C compiler, Python's headers.
# Nothing else of it reaches an image.
FROM builder AS compiler
RUN --mount=type=bind,from=scripts,target=/scripts \
    --mount=type=secret,id=ca-bundle \
    /scripts/setup-compiler
