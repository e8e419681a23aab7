"""Container registries: their address, the stored login, and a client of the OCI distribution specification 1.1.

In: the environment (``REGISTRY``), docker's stored logins, manifests and documents. Out: digests, tags, manifests and
attachments. ``address``, ``manifests``, ``tags`` and ``failures`` are pure; ``client`` and ``attachments`` read and
write in the registry, ``credentials`` reads docker's configuration and runs its credential helpers; ``layout`` reads a
folder with an OCI image layout as if it were a registry.
"""
