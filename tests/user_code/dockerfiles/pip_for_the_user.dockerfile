# pip refuses --user in a virtual environment, and says so.
ARG IMAGE
FROM ${IMAGE}
RUN pip install --user humanize
