# Generated from matrix.yaml by `nox -s generate`; do not edit.
# The stage in which packages of ubuntu18.04 that exist only as source are built, with a C compiler and Python's headers.
# Only the layers reach an image.
FROM builder AS compiler
RUN --mount=type=bind,from=scripts,target=/scripts \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=network \
    /scripts/setup-compiler
