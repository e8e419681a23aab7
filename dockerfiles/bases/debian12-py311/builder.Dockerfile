# Generated from matrix.yaml by `nox -s generate`; do not edit.
# The stage in which the package layers of debian12-py311 are installed, with its Python and uv. Only the layers reach an image.
FROM scratch AS rootfs
ADD rootfs.tar /

FROM rootfs
RUN python3.11 -m venv --without-pip /opt/venv
COPY --from=tools bin/uv /usr/local/bin/uv
COPY --from=scripts --chmod=0755 install-layer contested-files patch-layer remove-vendored-sboms server-constraints \
    compile-bytecode /usr/local/bin/
