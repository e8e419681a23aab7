"""Loads the Azure ML examples with Microsoft's library; runs in an environment of its own (requirements.txt).

Usage: check_azureml.py ENDPOINT.yaml DEPLOYMENT.yaml; prints what the library read, as JSON.
"""

import json
import sys
from pathlib import Path

from azure.ai.ml import load_online_deployment, load_online_endpoint

endpoint = load_online_endpoint(sys.argv[1])
deployment = load_online_deployment(sys.argv[2])
code = Path(sys.argv[2]).parent / deployment.code_configuration.code
print(
    json.dumps(
        {
            "kinds": [type(endpoint).__name__, type(deployment).__name__],
            "endpoints": [endpoint.name, deployment.endpoint_name],
            "script": str((code / deployment.code_configuration.scoring_script).resolve()),
            "model": str(Path(deployment.model.path).resolve()),
            "routes": deployment.environment.inference_config.as_dict(),
            "variables": deployment.environment_variables,
            "probes": [deployment.liveness_probe.timeout, deployment.readiness_probe.timeout],
        }
    )
)
