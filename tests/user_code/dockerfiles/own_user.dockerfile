# A user of the image's own maker, in a folder of theirs.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN useradd --create-home pythonmlops
WORKDIR /home/pythonmlops
COPY code app
RUN chown -R pythonmlops:pythonmlops ./
USER pythonmlops
WORKDIR /home/pythonmlops/app
ENV AML_APP_ROOT=/home/pythonmlops/app AZUREML_ENTRY_SCRIPT=score.py
CMD ["runsvdir", "/var/runit"]
