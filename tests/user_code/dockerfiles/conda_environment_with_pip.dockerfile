# The same, changed for these images: pip installs into the environment that the image has.
ARG IMAGE
FROM ${IMAGE}
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir -r /tmp/requirements.txt
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
