# Debian's OpenCV is for Debian's own Python, not for the image's environment.
ARG IMAGE
FROM ${IMAGE}
USER root:root
RUN apt-get update && apt-get install --no-install-recommends -y python3-opencv && apt-get clean -y && rm -rf /var/lib/apt/lists/*
USER dockeruser
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
