# A packaged model: code and model outside the app root, absolute paths in the variables.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN mkdir -p /var/azureml-package-resources/azureml-models/my-model/1
COPY code/score.py /var/azureml-package-resources/score.py
COPY model /var/azureml-package-resources/azureml-models/my-model/1
ENV AZUREML_ENTRY_SCRIPT=/var/azureml-package-resources/score.py
ENV AZUREML_MODEL_DIR=/var/azureml-package-resources/azureml-models/my-model/1
USER dockeruser
CMD ["runsvdir", "/var/runit"]
