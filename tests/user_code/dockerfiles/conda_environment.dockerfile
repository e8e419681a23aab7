# Microsoft's example for a custom container: an environment of its own, made with conda.
ARG IMAGE
FROM ${IMAGE}
USER dockeruser
ENV CONDA_ENV_DIR=/opt/miniconda/envs
COPY conda.yml /tmp/conda.yaml
RUN conda env create -n userenv -f /tmp/conda.yaml && \
    export SERVER_VERSION=$(pip show azureml-inference-server-http | grep Version | sed -e 's/.*: //') && \
    $CONDA_ENV_DIR/userenv/bin/pip install azureml-inference-server-http==$SERVER_VERSION
ENV AZUREML_CONDA_ENVIRONMENT_PATH="$CONDA_ENV_DIR/userenv"
ENV PATH="$AZUREML_CONDA_ENVIRONMENT_PATH/bin:$PATH"
ENV LD_LIBRARY_PATH="$AZUREML_CONDA_ENVIRONMENT_PATH/lib:$LD_LIBRARY_PATH"
CMD ["runsvdir", "/var/runit"]
