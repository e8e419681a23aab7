# The server's version is asked and installed again, and the libraries' path is set, as in Microsoft's examples.
ARG IMAGE
FROM ${IMAGE}
RUN export SERVER_VERSION=$(pip show azureml-inference-server-http | grep Version | sed -e 's/.*: //') && \
    "$AZUREML_CONDA_ENVIRONMENT_PATH/bin/pip" install --no-cache-dir azureml-inference-server-http==$SERVER_VERSION
ENV LD_LIBRARY_PATH="$AZUREML_CONDA_ENVIRONMENT_PATH/lib:$LD_LIBRARY_PATH"
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
