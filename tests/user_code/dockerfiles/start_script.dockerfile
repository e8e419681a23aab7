# A script that runs the server in the background and waits.
ARG IMAGE
FROM ${IMAGE}
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
COPY --chmod=755 start.sh /start.sh
CMD ["/start.sh"]
