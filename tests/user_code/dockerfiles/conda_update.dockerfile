# Dependencies added to the environment of Microsoft's images.
ARG IMAGE
FROM ${IMAGE}
COPY conda.yml /tmp/conda.yml
RUN conda env update -n amlenv --file /tmp/conda.yml
