"""The service does what its OpenAPI document says, whatever it is asked and whoever asks: schemathesis asks for a while,
with every check and with sequences that follow what answers give (stateful)."""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import pytest
import requests

EXAMPLES = os.environ.get("DALEKS_OPENAPI_EXAMPLES", "1")
HERE = os.path.dirname(os.path.abspath(__file__))


# Who may do anything finds what the others do, but for what is refused them: the short form is content with that.
PEOPLE = ["root"] if EXAMPLES == "1" else ["nobody", "ann", "root"]


def run(place, person, folder):
    url = place["fuzzed"]["url"]
    path = os.path.join(folder, "openapi.json")
    with open(path, "w") as file:
        json.dump(requests.get(url + "/openapi.json", verify=place["ca"]).json(), file)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    if person != "nobody":
        hooks = {"SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": HERE, "DALEKS_OPENAPI_PERSON": person}
        environment.update(hooks)
    return subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"),
            "--config-file", os.path.join(HERE, "schemathesis.toml"), "run", path,
            "--url", url, "--tls-verify", place["ca"], "--checks", "all", "--max-examples", EXAMPLES,
            "--seed", "1", "--generation-database", "none", "--no-color", "--request-timeout", "20",
            "--suppress-health-check", "all",
        ],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )


def begin(place):
    """One after the other, so that nobody takes away what another run just made."""

    def work(person):
        with tempfile.TemporaryDirectory() as folder:
            return run(place, person, folder)

    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    return {person: pool.submit(work, person) for person in PEOPLE}


@pytest.mark.parametrize("person", PEOPLE)
def test_nothing_is_found(meanwhile, person):
    finished = meanwhile["openapi"][person].result()
    assert finished.returncode == 0, finished.stdout[-12000:] + finished.stderr[-2000:]
    assert "Stateful" in finished.stdout, finished.stdout[-3000:]
    if EXAMPLES != "1":
        print(f"{person}: " + finished.stdout[-2500:])
