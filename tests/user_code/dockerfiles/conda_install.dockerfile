ARG IMAGE
FROM ${IMAGE}
USER root
SHELL ["/bin/bash", "-c"]
RUN source /opt/miniconda/etc/profile.d/conda.sh && conda activate amlenv && conda install -y humanize
