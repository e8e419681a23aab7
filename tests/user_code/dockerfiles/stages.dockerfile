# Packages are built in a stage of their own and copied.
ARG IMAGE
FROM ${IMAGE} AS packages
RUN pip wheel --no-cache-dir --wheel-dir /tmp/wheels humanize
FROM ${IMAGE}
COPY --from=packages /tmp/wheels /tmp/wheels
RUN pip install --no-cache-dir --no-index /tmp/wheels/*.whl
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
