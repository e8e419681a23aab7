# Microsoft's page "Extend a prebuilt Docker image", with the CMD that Dockerfiles for these images end with.
ARG IMAGE
FROM ${IMAGE}
USER root:root
COPY code /var/azureml-app
COPY model /var/azureml-app/azureml-models
ENV AZUREML_ENTRY_SCRIPT=score.py
ENV AZUREML_MODEL_DIR=/var/azureml-app/azureml-models
USER dockeruser
EXPOSE 5001
CMD ["runsvdir", "/var/runit"]
