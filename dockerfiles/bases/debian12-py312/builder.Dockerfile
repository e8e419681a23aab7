# Generated from matrix.yaml by `nox -s generate`; do not edit.
# The stage in which the package layers of debian12-py312 are installed, with its Python and uv. Only the layers reach an image.
FROM scratch AS rootfs
ADD rootfs.tar /
# CPython 3.12.1; with --link its layer does not depend on those below.
ADD --link prefix.tar /

FROM rootfs
ADD headers.tar /
RUN ldconfig && python3.12 -m venv --without-pip /opt/venv
COPY --from=tools bin/uv /usr/local/bin/uv
COPY --from=scripts --chmod=0755 install-layer contested-files patch-layer remove-vendored-sboms server-constraints \
    compile-bytecode /usr/local/bin/
