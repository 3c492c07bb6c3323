"""A files service that somebody else started: DALEKS_FILES_INTEROP names a file with its address and a token.

Tests/DaleksFilesTests/InteropTests.swift writes it, starts the service and runs these tests. `url` leads through a proxy
that resets each connection after so many bytes; `direct_url` does not.
"""

import json
import os

import pytest
import requests


class Region:
    def __init__(self, place):
        self.url, self.direct_url = place["url"], place["direct_url"]
        self.reset_bytes = place["reset_bytes"]
        self.token = place["token"]
        self.headers = {"Authorization": "Bearer " + self.token}

    def send(self, method, path, **more):
        return requests.request(method, self.direct_url + path, headers=self.headers, timeout=20, **more)


@pytest.fixture(scope="session")
def region():
    path = os.environ.get("DALEKS_FILES_INTEROP")
    if not path:
        pytest.skip("DALEKS_FILES_INTEROP does not name a running region")
    with open(path) as file:
        return Region(json.load(file))
