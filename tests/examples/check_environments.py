"""Loads environment assets with Microsoft's library; runs in an environment of its own (requirements.txt).

Usage: check_environments.py FILE… [KEY=VALUE…]

KEY=VALUE replaces a value, as the options of `az ml environment create` do. It prints what the library would send to
Azure for each file, as JSON.
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
