# The same four images the plain way, for `nox -s bench`; bench/README.md says what it puts beside this file.

variable "REGISTRY" {
  default = "127.0.0.1:5000"
}

variable "CA_BUNDLE" {
  default = "/etc/ssl/certs/ca-certificates.crt"
}

variable "BASE" {
  default = "debian:trixie-slim"
}

group "default" {
  targets = ["sklearn", "onnxruntime", "xgboost", "lightgbm"]
}

# Stands for `docker pull debian:trixie-slim`: bench builds it before the clock starts, from Debian's archive.
target "base" {
  context           = "rootfs"
  dockerfile-inline = "FROM scratch\nADD rootfs.tar /\n"
  tags              = [BASE]
}

# The registries of the benchmark; on the plain base, so that it shares nothing with our images.
target "registry" {
  context  = "registry"
  contexts = { base = "target:base" }
  tags     = ["bench/registry:latest"]
}

target "sklearn" {
  context = "sklearn"
  secret  = ["id=ca-bundle,src=${CA_BUNDLE}"]
  tags    = ["${REGISTRY}/plain/sklearn:latest"]
}

target "onnxruntime" {
  context = "onnxruntime"
  secret  = ["id=ca-bundle,src=${CA_BUNDLE}"]
  tags    = ["${REGISTRY}/plain/onnxruntime:latest"]
}

target "xgboost" {
  context = "xgboost"
  secret  = ["id=ca-bundle,src=${CA_BUNDLE}"]
  tags    = ["${REGISTRY}/plain/xgboost:latest"]
}

target "lightgbm" {
  context = "lightgbm"
  secret  = ["id=ca-bundle,src=${CA_BUNDLE}"]
  tags    = ["${REGISTRY}/plain/lightgbm:latest"]
}
