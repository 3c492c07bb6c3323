"""What the tests here share: a service that somebody else started, and a person at its pages.

DALEKS_INTEROP names a file with its address, its certificate authority, an account and registered clients;
Tests/DaleksUsersTests/InteropTests.swift writes it, starts the service and runs these tests.
"""

import html.parser
import json
import os
import urllib.parse

import pytest
import requests


class Forms(html.parser.HTMLParser):
    """Collects the forms of a page as browsers read them."""

    def __init__(self):
        super().__init__()
        self.forms = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({"action": attributes["action"], "fields": {}})
        elif tag == "input" and self.forms and attributes.get("name"):
            self.forms[-1]["fields"][attributes["name"]] = attributes.get("value") or ""


class Person:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, place):
        self.place = place
        self.session = requests.Session()
        self.session.verify = place["ca"]

    def submit(self, page, action, **fields):
        parser = Forms()
        parser.feed(page.text)
        forms = [form for form in parser.forms if form["action"] == action]
        assert forms, f"no form for {action} at {page.url}: {page.text}"
        return self.session.post(
            urllib.parse.urljoin(page.url, action),
            data={**forms[0]["fields"], **fields},
            headers={"Origin": self.place["url"]},
            allow_redirects=False,
        )

    def open(self, url):
        """Opens a page of the service and logs in where it asks for that."""
        page = self.session.get(url)
        if 'name="password"' in page.text:
            answer = self.submit(page, "/login", email=self.place["email"], password=self.place["password"])
            assert answer.status_code == 303, answer.text
            page = self.session.get(urllib.parse.urljoin(page.url, answer.headers["Location"]))
        assert page.status_code == 200, page.text
        return page

    def agree(self, url):
        """Lets a program in; where the browser is sent then."""
        answer = self.submit(self.open(url), "/oauth/consent", decision="allow")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def let_in(self, url):
        """Lets a device in."""
        page = self.submit(self.open(url), "/device")
        assert self.submit(page, "/device/decision", decision="allow").status_code == 200


@pytest.fixture(scope="session")
def place():
    path = os.environ.get("DALEKS_INTEROP")
    if not path:
        pytest.skip("DALEKS_INTEROP does not name a running service")
    with open(path) as file:
        place = json.load(file)
    # For libraries that take their trust from the environment only.
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = place["ca"]
    return place


@pytest.fixture(scope="session")
def metadata(place):
    answer = requests.get(place["url"] + "/.well-known/oauth-authorization-server", verify=place["ca"])
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture(scope="session", autouse=True)
def meanwhile(request):
    """What takes long begins with the first test, so that the others run beside it."""
    if not os.environ.get("DALEKS_INTEROP"):
        return {}
    import test_openapi
    import test_rotation

    place = request.getfixturevalue("place")
    rotation = test_rotation.Rotation(place)
    rotation.start()
    return {"rotation": rotation, "openapi": test_openapi.begin(place)}


@pytest.fixture
def person(place):
    return Person(place)
