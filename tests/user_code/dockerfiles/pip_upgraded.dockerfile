# pip itself is upgraded first, and packages are installed as root.
ARG IMAGE
FROM ${IMAGE}
USER root
WORKDIR /code
COPY requirements.txt requirements.txt
RUN pip install --upgrade pip && pip install --no-cache-dir --upgrade -r requirements.txt
COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
USER dockeruser
