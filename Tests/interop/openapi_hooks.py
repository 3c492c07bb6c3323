"""Lets schemathesis be somebody. What it asks for ends its log-ins now and then, so it logs in again and again."""

import json
import os

import requests
import schemathesis

with open(os.environ["DALEKS_INTEROP"]) as file:
    PLACE = json.load(file)["fuzzed"]
PERSON = PLACE["people"][os.environ["DALEKS_OPENAPI_PERSON"]]


@schemathesis.auth(refresh_interval=2)
class LogIn:
    token = "none"

    def get(self, case, context):
        session = requests.Session()
        answer = session.post(PLACE["url"] + "/v1/login", json={**PERSON, "device": "schemathesis"})
        if answer.ok:
            # What a region is shown opens nothing here.
            form = {
                "grant_type": "refresh_token",
                "refresh_token": answer.json()["refresh_token"],
                "resource": PLACE["url"],
            }
            answer = session.post(PLACE["url"] + "/oauth/token", data=form)
        # An administrator may have closed every region, or this account: then the last token must do.
        if answer.ok:
            LogIn.token = answer.json()["access_token"]
        return LogIn.token

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": "Bearer " + data}
