# Everything in /app, the home too.
ARG IMAGE
FROM ${IMAGE}
WORKDIR /app
COPY code .
ENV HOME=/app AML_APP_ROOT=/app AZUREML_ENTRY_SCRIPT=score.py
HEALTHCHECK --interval=1s --timeout=2s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:5001/')"
