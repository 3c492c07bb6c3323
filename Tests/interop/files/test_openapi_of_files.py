"""The files service does what its OpenAPI document says, whatever it is asked and whoever asks: schemathesis asks for a
while, with every check and with sequences that follow what answers give (stateful)."""

import json
import os
import subprocess
import sys

import pytest
import requests

EXAMPLES = os.environ.get("DALEKS_OPENAPI_EXAMPLES", "1")
HERE = os.path.dirname(os.path.abspath(__file__))

# Who has a token finds what nobody does, but for what is refused without one: the short form is content with that.
PEOPLE = ["somebody"] if EXAMPLES == "1" else ["nobody", "somebody"]


@pytest.mark.parametrize("person", PEOPLE)
def test_nothing_is_found(region, tmp_path, person):
    document = requests.get(region.direct_url + "/openapi.json", timeout=20).json()
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    more = ["--header", "Authorization: Bearer " + region.token] if person == "somebody" else []
    finished = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"),
            "--config-file", os.path.join(HERE, "schemathesis.toml"), "run", str(path),
            "--url", region.direct_url, "--checks", "all", "--max-examples", EXAMPLES,
            "--seed", "1", "--generation-database", "none", "--no-color", "--request-timeout", "20",
            "--suppress-health-check", "all", *more,
        ],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": HERE,
            "SCHEMATHESIS_HOOKS": "raw_bodies",
        },
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stdout[-12000:] + finished.stderr[-2000:]
    assert "Stateful" in finished.stdout, finished.stdout[-3000:]
    if EXAMPLES != "1":
        print(f"{person}: " + finished.stdout[-2500:])
