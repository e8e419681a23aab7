#!/bin/sh
set -e
echo "the user's entry point prepares something"
export AZUREML_MODEL_DIR=/var/azureml-app/azureml-models
exec "$@"
