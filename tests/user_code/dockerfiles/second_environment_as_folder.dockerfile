# The same, changed for these images: the packages are in a folder that comes first on the import path.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN pip install --no-cache-dir --target /opt/other humanize
USER dockeruser
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py AZUREML_EXTRA_PYTHON_LIB_PATH=/opt/other
CMD ["runsvdir", "/var/runit"]
