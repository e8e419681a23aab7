"""Loads environment assets with Microsoft's own library; runs in an environment of its own (requirements.txt).

Usage: check_environments.py FILE… [KEY=VALUE…], a key's value as options of `az ml environment create` replace it.
It prints, as JSON, what the library makes of each file and would send to Azure.
"""

import json
import sys

from azure.ai.ml import load_environment

options = [dict([word.split("=", 1)]) for word in sys.argv[1:] if "=" in word]
understood = []
for file in (word for word in sys.argv[1:] if "=" not in word):
    environment = load_environment(file, params_override=[*options])
    environment.validate()
    understood.append(
        {
            "name": environment.name,
            "version": environment.version,
            "image": environment.image,
            "os": environment.os_type,
            "description": environment.description,
            "routes": environment.inference_config.as_dict(),
            "tags": environment.tags,
        }
    )
print(json.dumps(understood))
