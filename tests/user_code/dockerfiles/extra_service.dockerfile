# A service next to the server, under runit.
ARG IMAGE
FROM ${IMAGE}
COPY --chown=1000:1000 side-run /var/runit/side/run
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
