# An entry point that prepares something and then runs the command.
ARG IMAGE
FROM ${IMAGE}
COPY code /var/azureml-app
COPY model /var/azureml-app/azureml-models
ENV AZUREML_ENTRY_SCRIPT=score.py
COPY --chmod=755 entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["runsvdir", "/var/runit"]
