"""Clients of resumable uploads that others wrote, over a wire that is cut again and again.

DALEKS_FILES_INTEROP names a file with a region's address and a token; Tests/DaleksFilesTests/InteropTests.swift writes it.
"""

import asyncio
import hashlib
import io
import json
import os
import random
import socket
import threading

import pytest
import requests

PLACE = os.environ.get("DALEKS_FILES_INTEROP")
if not PLACE:
    pytest.skip("DALEKS_FILES_INTEROP does not name a running region", allow_module_level=True)

aiotus = pytest.importorskip("aiotus")
client = pytest.importorskip("tusclient.client")
exceptions = pytest.importorskip("tusclient.exceptions")

CUTS = int(os.environ.get("DALEKS_ROUNDS", "20"))


@pytest.fixture(scope="module")
def region():
    with open(PLACE) as file:
        return json.load(file)


class CuttingWire:
    """Carries bytes to the region, and cuts each of the first connections after some of them."""

    def __init__(self, url, cuts):
        host, port = url.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.cuts = cuts
        self.done = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            budget = [random.randrange(20_000, 60_000) if self.done < self.cuts else None]
            threading.Thread(target=self.carry, args=(near, far, budget), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, [None]), daemon=True).start()

    def carry(self, source, sink, budget):
        try:
            while piece := source.recv(4_096):
                if budget[0] is not None:
                    budget[0] -= len(piece)
                    if budget[0] <= 0:
                        self.done += 1
                        break
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def content(region, name):
    answer = requests.get(f"{region['url']}/v1/paths/{name}", headers=region["headers"])
    assert answer.status_code == 200, answer.text
    return answer.content


def test_tuspy_ends_an_upload_that_is_cut_again_and_again(region):
    data = random.Random(1).randbytes(CUTS * 25_000 + 1_500_000)
    wire = CuttingWire(region["url"], CUTS)
    tus = client.TusClient(region["url"] + "/v1/uploads", headers=region["headers"])
    uploader = tus.uploader(file_stream=io.BytesIO(data), metadata={"filename": "tuspy.bin"}, chunk_size=400_000)
    uploader.set_url(uploader.create_url())
    place = uploader.url
    through = wire.url + "/" + place.split("/", 3)[3]
    for _ in range(CUTS * 3 + 10):
        try:
            uploader = tus.uploader(url=through, file_stream=io.BytesIO(data), chunk_size=400_000, retries=0)
            uploader.upload()
            break
        except (exceptions.TusUploadFailed, exceptions.TusCommunicationError, requests.RequestException):
            continue
    wire.close()
    assert wire.done >= CUTS
    assert hashlib.sha256(content(region, "tuspy.bin")).digest() == hashlib.sha256(data).digest()


def test_tuspy_sends_checksums(region):
    data = random.Random(2).randbytes(1_300_000)
    tus = client.TusClient(region["url"] + "/v1/uploads", headers=region["headers"])
    uploader = tus.uploader(
        file_stream=io.BytesIO(data), metadata={"filename": "sums.bin"}, chunk_size=500_000, upload_checksum=True
    )
    uploader.upload()
    assert content(region, "sums.bin") == data


def test_aiotus_ends_an_upload_that_is_cut_again_and_again(region):
    data = random.Random(3).randbytes(CUTS * 25_000 + 1_500_000)
    wire = CuttingWire(region["url"], CUTS)
    retry = aiotus.RetryConfiguration(retry_attempts=CUTS * 3 + 10, max_retry_period_seconds=0.01)

    async def upload():
        return await aiotus.upload(
            wire.url + "/v1/uploads",
            io.BytesIO(data),
            {"filename": b"aiotus.bin"},
            headers=region["headers"],
            config=retry,
        )

    assert asyncio.run(upload()) is not None
    wire.close()
    assert wire.done >= min(CUTS, 3)
    assert hashlib.sha256(content(region, "aiotus.bin")).digest() == hashlib.sha256(data).digest()


def test_aiotus_joins_parts(region):
    data = random.Random(4).randbytes(2_600_001)
    parts = [data[:900_000], data[900_000:2_000_000], data[2_000_000:]]

    async def upload():
        return await aiotus.upload_multiple(
            region["url"] + "/v1/uploads",
            [io.BytesIO(part) for part in parts],
            {"filename": b"joined.bin"},
            headers=region["headers"],
        )

    assert asyncio.run(upload()) is not None
    assert content(region, "joined.bin") == data
