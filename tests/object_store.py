"""A local S3-compatible object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib import request

import fsspec
import pytest
from fsspec import AbstractFileSystem
from moto.server import ThreadedMotoServer

BUCKET = "corpus"


@contextmanager
def object_store() -> Iterator[AbstractFileSystem]:
    """Start an object store with an empty bucket, and configure this process and its child processes to use it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"")  # all servers in a process share their buckets
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "user")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "not secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # cached instances refer to the previous server
        store = fsspec.filesystem("s3", use_listings_cache=False)
        store.mkdir(BUCKET)
        yield store
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
