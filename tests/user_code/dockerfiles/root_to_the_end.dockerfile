# USER root is not taken back.
ARG IMAGE
FROM ${IMAGE}
USER root
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
