# The same, changed for these images: a script starts the service, and then the server as the first process.
ARG IMAGE
FROM ${IMAGE}
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["sh", "-c", "python -m http.server 8000 & exec runsvdir /var/runit"]
