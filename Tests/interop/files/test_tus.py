"""Uploads by clients that know tus and not us, over connections that break again and again."""

import asyncio
import hashlib
import io
import os
import random

import aiotus
import pytest
import tusclient.client

DISCONNECTS = int(os.environ.get("DALEKS_DISCONNECTS", "20"))


@pytest.fixture
def content(region):
    return random.Random(7).randbytes(region.reset_bytes * (DISCONNECTS + 1))


def check(region, name, content):
    answer = region.send("GET", "/v1/paths/" + name)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()


def test_tuspy(region, content):
    client = tusclient.client.TusClient(region.url + "/v1/uploads", headers=region.headers)
    uploader = client.uploader(
        file_stream=io.BytesIO(content),
        metadata={"filename": "by tuspy"},
        chunk_size=len(content),
        retries=10 * DISCONNECTS,
        retry_delay=0.01,
    )
    uploader.upload()
    assert uploader.offset == len(content)
    check(region, "by%20tuspy", content)


def test_tuspy_proves_each_chunk_by_its_checksum(region, content):
    # Where an upload is the region says, and that is behind the proxy, which lets pieces of this size through.
    client = tusclient.client.TusClient(region.direct_url + "/v1/uploads", headers=region.headers)
    uploader = client.uploader(
        file_stream=io.BytesIO(content[:1_000_000]),
        metadata={"filename": "checked"},
        chunk_size=region.reset_bytes * 3 // 4,
        upload_checksum=True,
    )
    uploader.upload()
    check(region, "checked", content[:1_000_000])


def test_tuspy_goes_on_with_what_another_process_began(region):
    content = random.Random(8).randbytes(300_000)
    client = tusclient.client.TusClient(region.direct_url + "/v1/uploads", headers=region.headers)
    first = client.uploader(file_stream=io.BytesIO(content), metadata={"filename": "later"}, chunk_size=100_000)
    first.upload_chunk()
    second = client.uploader(file_stream=io.BytesIO(content), url=first.url, chunk_size=100_000)
    assert second.offset == 100_000
    second.upload()
    check(region, "later", content)


def test_aiotus(region, content):
    config = aiotus.RetryConfiguration(retry_attempts=10 * DISCONNECTS, max_retry_period_seconds=0.01)

    async def upload():
        return await aiotus.upload(
            region.url + "/v1/uploads",
            io.BytesIO(content),
            {"filename": b"by aiotus"},
            config=config,
            headers=region.headers,
            chunksize=64 << 20,
        )

    assert asyncio.run(upload()) is not None
    check(region, "by%20aiotus", content)


def test_aiotus_joins_parts_that_went_side_by_side(region):
    content = random.Random(9).randbytes(900_000)
    config = aiotus.RetryConfiguration(retry_attempts=100, max_retry_period_seconds=0.01)

    async def upload():
        return await aiotus.upload_multiple(
            region.direct_url + "/v1/uploads",
            [io.BytesIO(content[at : at + 300_000]) for at in range(0, 900_000, 300_000)],
            {"filename": b"joined"},
            config=config,
            headers=region.headers,
        )

    assert asyncio.run(upload()) is not None
    check(region, "joined", content)


def test_the_server_says_what_it_can_do(region):
    facts = region.send("OPTIONS", "/v1/uploads").headers
    assert facts["Tus-Version"] == "1.0.0"
    assert {"creation", "checksum", "expiration", "termination", "concatenation"} <= set(
        facts["Tus-Extension"].split(",")
    )
