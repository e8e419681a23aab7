# OpenCV for servers needs no system library.
ARG IMAGE
FROM ${IMAGE}
RUN pip install --no-cache-dir opencv-python-headless
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
