# A virtual environment of the user, first on the path; the variable names it.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN python -m venv --system-site-packages /opt/other && /opt/other/bin/pip install --no-cache-dir humanize
ENV AZUREML_CONDA_ENVIRONMENT_PATH=/opt/other PATH=/opt/other/bin:$PATH
USER dockeruser
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
