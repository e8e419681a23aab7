# Generated from matrix.yaml by `nox -s generate`; do not edit.
# The stage in which the package layers of ubuntu18.04 are installed, with its Python and uv. Only the layers reach an image.
FROM ubuntu:18.04@sha256:152dc042452c496007f07ca9127571cb9c29697f42acbfad72324b2bb2e43c98
# hadolint ignore=DL3002
USER 0
RUN --mount=type=bind,from=scripts,source=install-packages,target=/install-packages \
    --mount=type=secret,id=ca-bundle \
    --mount=type=secret,id=network \
    /install-packages ca-certificates libgomp1 python3.7 python3.7-venv tzdata
RUN python3.7 -m venv --without-pip /opt/venv
COPY --from=tools bin/uv /usr/local/bin/uv
COPY --from=scripts --chmod=0755 install-layer contested-files patch-layer remove-vendored-sboms server-constraints \
    compile-bytecode /usr/local/bin/
