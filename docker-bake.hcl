# Generated from matrix.yaml by `nox -s generate`; do not edit.
#
#     nox -s bases                      # once: Debian root file systems and uv, into .pipeline/
#     docker buildx bake                # the default group
#     docker buildx bake <target>       # one image; '.' in a name is '_' in its target

# A file of CA certificates, for networks that inspect TLS; it is a build secret and in no layer:
#     CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt docker buildx bake
variable "CA_BUNDLE" {
  default = ""
}

# Package indexes, proxies and apt mirrors, for networks that do not reach the default ones; a build secret too:
#     BUILD_NETWORK="$(cat network)" docker buildx bake
# with a file of lines NAME=value: UV_DEFAULT_INDEX, UV_INDEX, http_proxy, https_proxy, no_proxy, INFERENCE_IMAGES_APT_MIRRORS.
target "_secrets" {
  secret = concat(CA_BUNDLE == "" ? [] : ["id=ca-bundle,src=${CA_BUNDLE}"], ["id=network,env=BUILD_NETWORK"])
}

group "default" {
  targets = [
    "cuda-runtime-debian13-py313-cuda13_0_3-gpu-inference",
    "lightgbm-4_7-debian13-py313-cpu-inference",
    "minimal-debian13-py313-cpu-inference",
    "onnxruntime-1_31-debian13-py313-cpu-inference",
    "pytorch-2_13-debian12-py311-cpu-inference",
    "sklearn-1_9-debian13-py313-cpu-inference",
    "tensorflow-2_21-debian13-py313-cpu-inference",
    "xgboost-3_4-debian13-py313-cpu-inference",
  ]
}

group "py312" {
  targets = [
    "minimal-debian12-py312-cpu-inference",
    "sklearn-1_9-debian12-py312-cpu-inference",
  ]
}

group "seed" {
  targets = [
    "minimal-ubuntu18_04-py37-cpu-inference",
    "onnxruntime-1_6-ubuntu18_04-py37-cpu-inference",
    "pytorch-1_6-ubuntu18_04-py37-cpu-inference",
    "pytorch-1_7-ubuntu18_04-py37-cpu-inference",
    "sklearn-0_24_1-ubuntu18_04-py37-cpu-inference",
    "tensorflow-1_15-ubuntu18_04-py37-cpu-inference",
    "tensorflow-2_4-ubuntu18_04-py37-cpu-inference",
    "tensorflow-2_4-ubuntu18_04-py37-cuda11_0_3-gpu-inference",
    "xgboost-0_9-ubuntu18_04-py37-cpu-inference",
  ]
}

group "bench" {
  targets = [
    "lightgbm-4_7-debian13-py313-cpu-inference",
    "onnxruntime-1_31-debian13-py313-cpu-inference",
    "sklearn-1_9-debian13-py313-cpu-inference",
    "xgboost-3_4-debian13-py313-cpu-inference",
  ]
}

group "all" {
  targets = [
    "cuda-runtime-debian12-py311-cuda13_0_3-gpu-inference",
    "cuda-runtime-debian13-py313-cuda13_0_3-gpu-inference",
    "lightgbm-4_7-debian12-py311-cpu-inference",
    "lightgbm-4_7-debian13-py313-cpu-inference",
    "minimal-debian12-py311-cpu-inference",
    "minimal-debian12-py311-cuda11_8_0-gpu-inference",
    "minimal-debian12-py311-cuda13_0_3-gpu-inference",
    "minimal-debian12-py312-cpu-inference",
    "minimal-debian13-py313-cpu-inference",
    "minimal-debian13-py313-cuda13_0_3-gpu-inference",
    "minimal-ubuntu18_04-py37-cpu-inference",
    "onnxruntime-1_31-debian12-py311-cpu-inference",
    "onnxruntime-1_31-debian12-py311-cuda13_0_3-gpu-inference",
    "onnxruntime-1_31-debian13-py313-cpu-inference",
    "onnxruntime-1_31-debian13-py313-cuda13_0_3-gpu-inference",
    "onnxruntime-1_6-ubuntu18_04-py37-cpu-inference",
    "pytorch-1_6-ubuntu18_04-py37-cpu-inference",
    "pytorch-1_7-ubuntu18_04-py37-cpu-inference",
    "pytorch-2_13-debian12-py311-cpu-inference",
    "pytorch-2_15-debian12-py311-cuda13_2_2-gpu-inference",
    "pytorch-2_15-debian13-py313-cuda13_2_2-gpu-inference",
    "sklearn-0_24_1-ubuntu18_04-py37-cpu-inference",
    "sklearn-1_9-debian12-py311-cpu-inference",
    "sklearn-1_9-debian12-py312-cpu-inference",
    "sklearn-1_9-debian13-py313-cpu-inference",
    "tensorflow-1_15-ubuntu18_04-py37-cpu-inference",
    "tensorflow-2_21-debian12-py311-cpu-inference",
    "tensorflow-2_21-debian12-py311-cuda12_5_82-gpu-inference",
    "tensorflow-2_21-debian13-py313-cpu-inference",
    "tensorflow-2_21-debian13-py313-cuda12_5_82-gpu-inference",
    "tensorflow-2_4-ubuntu18_04-py37-cpu-inference",
    "tensorflow-2_4-ubuntu18_04-py37-cuda11_0_3-gpu-inference",
    "xgboost-0_9-ubuntu18_04-py37-cpu-inference",
    "xgboost-3_2-debian12-py311-cpu-inference",
    "xgboost-3_2-debian12-py311-cuda12_9-gpu-inference",
    "xgboost-3_4-debian13-py313-cpu-inference",
    "xgboost-3_4-debian13-py313-cuda13_3-gpu-inference",
  ]
}

# Its root file system alone, which is sent to BuildKit once for all targets that use it.
target "rootfs-debian12-py311" {
  context    = ".pipeline/rootfs/debian12-py311"
  dockerfile = "../../../dockerfiles/bases/debian12-py311/Dockerfile"
  target     = "rootfs"
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-debian12-py311" {
  context    = "dockerfiles"
  dockerfile = "bases/debian12-py311/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start", rootfs = "target:rootfs-debian12-py311" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "builder-debian12-py311" {
  context    = ".pipeline/builder/debian12-py311"
  dockerfile = "../../../dockerfiles/bases/debian12-py311/builder.Dockerfile"
  contexts   = { scripts = "image/scripts", tools = ".pipeline/tools" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

# Its root file system alone, which is sent to BuildKit once for all targets that use it.
target "rootfs-debian13-py313" {
  context    = ".pipeline/rootfs/debian13-py313"
  dockerfile = "../../../dockerfiles/bases/debian13-py313/Dockerfile"
  target     = "rootfs"
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-debian13-py313" {
  context    = "dockerfiles"
  dockerfile = "bases/debian13-py313/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start", rootfs = "target:rootfs-debian13-py313" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "builder-debian13-py313" {
  context    = ".pipeline/builder/debian13-py313"
  dockerfile = "../../../dockerfiles/bases/debian13-py313/builder.Dockerfile"
  contexts   = { scripts = "image/scripts", tools = ".pipeline/tools" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

# Its root file system alone, which is sent to BuildKit once for all targets that use it.
target "rootfs-debian12-py312" {
  context    = ".pipeline/rootfs/debian12-py312"
  dockerfile = "../../../dockerfiles/bases/debian12-py312/Dockerfile"
  target     = "rootfs"
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-debian12-py312" {
  context    = "dockerfiles"
  dockerfile = "bases/debian12-py312/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start", rootfs = "target:rootfs-debian12-py312" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "builder-debian12-py312" {
  context    = ".pipeline/builder/debian12-py312"
  dockerfile = "../../../dockerfiles/bases/debian12-py312/builder.Dockerfile"
  contexts   = { scripts = "image/scripts", tools = ".pipeline/tools" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

# Its root file system alone, which is sent to BuildKit once for all targets that use it.
target "rootfs-debian12-py37" {
  context    = ".pipeline/rootfs/debian12-py37"
  dockerfile = "../../../dockerfiles/bases/debian12-py37/Dockerfile"
  target     = "rootfs"
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-debian12-py37" {
  context    = "dockerfiles"
  dockerfile = "bases/debian12-py37/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start", rootfs = "target:rootfs-debian12-py37" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "builder-debian12-py37" {
  context    = ".pipeline/builder/debian12-py37"
  dockerfile = "../../../dockerfiles/bases/debian12-py37/builder.Dockerfile"
  contexts   = { scripts = "image/scripts", tools = ".pipeline/tools" }
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "compiler-debian12-py37" {
  context    = "dockerfiles"
  dockerfile = "bases/debian12-py37/compiler.Dockerfile"
  contexts   = { builder = "target:builder-debian12-py37", scripts = "image/scripts" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-ubuntu18_04" {
  context    = "dockerfiles"
  dockerfile = "bases/ubuntu18.04/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "builder-ubuntu18_04" {
  context    = "dockerfiles"
  dockerfile = "bases/ubuntu18.04/builder.Dockerfile"
  contexts   = { scripts = "image/scripts", tools = ".pipeline/tools" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "compiler-ubuntu18_04" {
  context    = "dockerfiles"
  dockerfile = "bases/ubuntu18.04/compiler.Dockerfile"
  contexts   = { builder = "target:builder-ubuntu18_04", scripts = "image/scripts" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-debian12-py311-cuda11_8_0" {
  context    = "dockerfiles"
  dockerfile = "bases/debian12-py311-cuda11.8.0/Dockerfile"
  contexts   = { scripts = "image/scripts", base = "target:base-debian12-py311" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "base-ubuntu18_04-cuda11_0_3" {
  context    = "dockerfiles"
  dockerfile = "bases/ubuntu18.04-cuda11.0.3/Dockerfile"
  contexts   = { scripts = "image/scripts", start = "image/start" }
  inherits   = ["_secrets"]
  platforms  = ["linux/amd64"]
  output     = ["type=cacheonly"]
}

target "cuda-runtime-debian12-py311-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "cuda-runtime-debian12-py311-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/cuda-runtime-debian12-py311-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "cuda-runtime-debian13-py313-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "cuda-runtime-debian13-py313-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/cuda-runtime-debian13-py313-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "lightgbm-4_7-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "lightgbm-4.7-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/lightgbm-4.7-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "lightgbm-4_7-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "lightgbm-4.7-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/lightgbm-4.7-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian12-py311-cuda11_8_0-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian12-py311-cuda11.8.0-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311-cuda11_8_0"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian12-py311-cuda11.8.0-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian12-py311-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian12-py311-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian12-py311-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian12-py312-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian12-py312-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py312"
    builder = "target:builder-debian12-py312"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian12-py312-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-debian13-py313-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-debian13-py313-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-debian13-py313-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "minimal-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "minimal-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/minimal-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "onnxruntime-1_31-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "onnxruntime-1.31-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/onnxruntime-1.31-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "onnxruntime-1_31-debian12-py311-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "onnxruntime-1.31-debian12-py311-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/onnxruntime-1.31-debian12-py311-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "onnxruntime-1_31-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "onnxruntime-1.31-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/onnxruntime-1.31-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "onnxruntime-1_31-debian13-py313-cuda13_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "onnxruntime-1.31-debian13-py313-cuda13.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/onnxruntime-1.31-debian13-py313-cuda13.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "onnxruntime-1_6-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "onnxruntime-1.6-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/onnxruntime-1.6-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "pytorch-1_6-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "pytorch-1.6-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/pytorch-1.6-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "pytorch-1_7-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "pytorch-1.7-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/pytorch-1.7-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "pytorch-2_13-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "pytorch-2.13-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    wheels-pytorch-cpu = ".pipeline/wheels/pytorch-cpu/pytorch-2.13-debian12-py311-cpu-inference"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/pytorch-2.13-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "pytorch-2_15-debian12-py311-cuda13_2_2-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "pytorch-2.15-debian12-py311-cuda13.2.2-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/pytorch-2.15-debian12-py311-cuda13.2.2-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "pytorch-2_15-debian13-py313-cuda13_2_2-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "pytorch-2.15-debian13-py313-cuda13.2.2-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/pytorch-2.15-debian13-py313-cuda13.2.2-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "sklearn-0_24_1-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "sklearn-0.24.1-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/sklearn-0.24.1-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "sklearn-1_9-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "sklearn-1.9-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/sklearn-1.9-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "sklearn-1_9-debian12-py312-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "sklearn-1.9-debian12-py312-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py312"
    builder = "target:builder-debian12-py312"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/sklearn-1.9-debian12-py312-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "sklearn-1_9-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "sklearn-1.9-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/sklearn-1.9-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-1_15-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-1.15-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-1.15-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_21-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.21-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.21-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_21-debian12-py311-cuda12_5_82-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.21-debian12-py311-cuda12.5.82-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.21-debian12-py311-cuda12.5.82-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_21-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.21-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.21-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_21-debian13-py313-cuda12_5_82-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.21-debian13-py313-cuda12.5.82-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.21-debian13-py313-cuda12.5.82-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_4-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.4-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.4-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "tensorflow-2_4-ubuntu18_04-py37-cuda11_0_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "tensorflow-2.4-ubuntu18.04-py37-cuda11.0.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04-cuda11_0_3"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/tensorflow-2.4-ubuntu18.04-py37-cuda11.0.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "xgboost-0_9-ubuntu18_04-py37-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "xgboost-0.9-ubuntu18.04-py37-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-ubuntu18_04"
    builder = "target:builder-ubuntu18_04"
    compiler = "target:compiler-ubuntu18_04"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/xgboost-0.9-ubuntu18.04-py37-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "xgboost-3_2-debian12-py311-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "xgboost-3.2-debian12-py311-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/xgboost-3.2-debian12-py311-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "xgboost-3_2-debian12-py311-cuda12_9-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "xgboost-3.2-debian12-py311-cuda12.9-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian12-py311"
    builder = "target:builder-debian12-py311"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/xgboost-3.2-debian12-py311-cuda12.9-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "xgboost-3_4-debian13-py313-cpu-inference" {
  context    = "dockerfiles"
  dockerfile = "xgboost-3.4-debian13-py313-cpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/xgboost-3.4-debian13-py313-cpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

target "xgboost-3_4-debian13-py313-cuda13_3-gpu-inference" {
  context    = "dockerfiles"
  dockerfile = "xgboost-3.4-debian13-py313-cuda13.3-gpu-inference/Dockerfile"
  contexts = {
    base    = "target:base-debian13-py313"
    builder = "target:builder-debian13-py313"
    scripts = "image/scripts"
  }
  inherits  = ["_secrets"]
  tags      = ["azureml/xgboost-3.4-debian13-py313-cuda13.3-gpu-inference:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}

# The embedded registry, which is used if REGISTRY names no other.
target "registry" {
  context   = "image/registry"
  contexts  = { base = "target:base-debian13-py313", scripts = "image/scripts" }
  inherits  = ["_secrets"]
  tags      = ["azureml/registry:latest"]
  platforms = ["linux/amd64"]
  output    = ["type=docker"]
}
