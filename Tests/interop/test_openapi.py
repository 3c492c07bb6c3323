"""The service does what its OpenAPI document says, whatever it is asked: schemathesis asks for a while."""

import json
import os
import subprocess
import sys

import requests

# A few hundred thousand cases find no more than a few thousand do, unless something changed.
EXAMPLES = os.environ.get("DALEKS_OPENAPI_EXAMPLES", "1")


def run(place, tmp_path, *more):
    document = requests.get(place["url"] + "/openapi.json", verify=place["ca"]).json()
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    finished = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"),
            "--config-file", os.path.join(os.path.dirname(__file__), "schemathesis.toml"), "run", str(path),
            "--url", place["url"], "--tls-verify", place["ca"], "--max-examples", EXAMPLES,
            "--seed", "1", "--generation-database", "none", "--no-color", "--request-timeout", "20",
            "--suppress-health-check", "all", *more,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:]


def test_nobody_finds_anything(place, tmp_path):
    run(place, tmp_path)


def test_somebody_who_is_logged_in_finds_nothing(place, tmp_path):
    run(place, tmp_path, "--header", "Authorization: Bearer " + place["access_token"])
