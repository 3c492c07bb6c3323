"""The feed as server-sent events, read by a client that knows those and not us."""

import json
import threading

import requests
import sseclient


def follow(region, cursor, last=None):
    headers = {**region.headers, "Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = last
    answer = requests.get(
        region.direct_url + "/v1/changes", params={"after": cursor}, headers=headers, stream=True, timeout=20
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    return answer, sseclient.SSEClient(answer).events()


def names(event):
    return [entry["name"] for change in json.loads(event.data)["changes"] for entry in change["entries"]]


def test_what_changes_arrives_as_events_and_goes_on_after_a_break(region):
    cursor = region.send("GET", "/v1/tree").json()["cursor"]
    answer, events = follow(region, cursor)
    threading.Timer(0.2, lambda: region.send("PUT", "/v1/paths/first", data=b"1")).start()
    event = next(events)
    assert names(event) == ["first"]
    answer.close()

    # What happened while nobody listened comes first.
    region.send("PUT", "/v1/paths/second", data=b"2")
    region.send("PUT", "/v1/paths/third", data=b"3")
    answer, events = follow(region, cursor, last=event.id)
    seen = []
    while len(seen) < 2:
        seen += names(next(events))
    assert seen == ["second", "third"]
    answer.close()


def test_a_cursor_that_is_no_more_says_so(region):
    answer = requests.get(
        region.direct_url + "/v1/changes",
        params={"after": "1.999999"},
        headers={**region.headers, "Accept": "text/event-stream"},
        timeout=20,
    )
    assert answer.status_code == 410 and answer.json()["code"] == "cursor_expired"
