# Another server instead of the image's own, on another port.
ARG IMAGE
FROM ${IMAGE}
WORKDIR /app
RUN pip install --no-cache-dir --upgrade fastapi uvicorn
COPY ./app /app
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8080"]
