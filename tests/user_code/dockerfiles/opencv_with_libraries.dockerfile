# OpenCV with its windows needs libraries of the system.
ARG IMAGE
FROM ${IMAGE}
USER root:root
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
USER dockeruser
RUN pip install --no-cache-dir opencv-python
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
