"""requests-oauthlib, which many scripts are written with."""

import pytest
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from oauthlib.oauth2.rfc8628.clients import DeviceClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session


def test_code_with_pkce_then_refresh(place, metadata, person):
    web = place["clients"]["web"]
    client = OAuth2Session(
        web["id"], scope=["files:read", "offline_access"], redirect_uri=web["redirect"], pkce="S256"
    )
    client.verify = place["ca"]
    url, _ = client.authorization_url(metadata["authorization_endpoint"])
    back = person.agree(url)
    token = client.fetch_token(
        metadata["token_endpoint"],
        authorization_response=back,
        client_secret=web["secret"],
        include_client_id=True,
        verify=place["ca"],
    )
    new = client.refresh_token(
        metadata["token_endpoint"], auth=HTTPBasicAuth(web["id"], web["secret"]), verify=place["ca"]
    )
    assert new["access_token"] != token["access_token"] and new["refresh_token"] != token["refresh_token"]


def test_a_state_of_somebody_else_is_noticed(place, metadata, person):
    web = place["clients"]["web"]
    client = OAuth2Session(web["id"], scope=["files:read"], redirect_uri=web["redirect"], pkce="S256", state="mine")
    url, _ = client.authorization_url(metadata["authorization_endpoint"], state="another")
    back = person.agree(url)
    client._state = "mine"
    with pytest.raises(OAuth2Error):
        client.fetch_token(metadata["token_endpoint"], authorization_response=back, client_secret=web["secret"])


def test_device(place, metadata, person):
    native = place["clients"]["native"]["id"]
    client = OAuth2Session(client=DeviceClient(native, scope=["files:read"]))
    client.verify = place["ca"]
    invitation = client.post(
        metadata["device_authorization_endpoint"],
        data={"client_id": native, "scope": "files:read"},
        withhold_token=True,
    ).json()
    person.let_in(invitation["verification_uri_complete"])
    token = client.fetch_token(
        metadata["token_endpoint"],
        device_code=invitation["device_code"],
        include_client_id=True,
        verify=place["ca"],
    )
    assert token["token_type"] == "Bearer"


def test_client_credentials(place, metadata):
    robot = place["clients"]["robot"]
    client = OAuth2Session(client=BackendApplicationClient(robot["id"], scope=["files:read"]))
    token = client.fetch_token(
        metadata["token_endpoint"], auth=HTTPBasicAuth(robot["id"], robot["secret"]), verify=place["ca"]
    )
    assert token["scope"] == ["files:read"]
