"""Authlib as a program that knows the standards and not us."""

import time

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def session(place, name, **more):
    client = place["clients"][name]
    session = OAuth2Session(client["id"], client.get("secret"), **more)
    session.verify = place["ca"]
    return session


def log_in(place, metadata, person, name="web", scope="openid profile email files:read offline_access", **more):
    client = session(
        place,
        name,
        scope=scope,
        redirect_uri=place["clients"][name]["redirect"],
        code_challenge_method="S256",
        **more,
    )
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="a-nonce"
    )
    back = person.agree(url)
    assert "iss=" in back and f"state={state}" in back
    client.fetch_token(metadata["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state)
    return client


@pytest.mark.parametrize(
    "name,algorithm,method",
    [("web", "ES256", "client_secret_basic"), ("web", "ES256", "client_secret_post"), ("rsa", "RS256", "client_secret_basic")],
)
def test_code_with_pkce_then_userinfo_and_id_token(place, metadata, person, name, algorithm, method):
    client = log_in(place, metadata, person, name=name, token_endpoint_auth_method=method)

    info = client.get(metadata["userinfo_endpoint"]).json()
    assert info["email"] == place["email"]

    keys = KeySet.import_key_set(client.get(metadata["jwks_uri"], withhold_token=True).json())
    token = jwt.decode(client.token["id_token"], keys, algorithms=[algorithm])
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": place["clients"][name]["id"]},
        },
        params={
            "nonce": "a-nonce",
            "client_id": place["clients"][name]["id"],
            "access_token": client.token["access_token"],
        },
    )
    claims.validate(leeway=5)
    assert claims["sub"] == info["sub"]


def test_a_public_client_proves_itself_by_pkce_alone(place, metadata, person):
    client = log_in(place, metadata, person, name="native", token_endpoint_auth_method="none")
    assert client.get(metadata["userinfo_endpoint"]).status_code == 200


def test_a_code_without_its_verifier_is_nothing(place, metadata, person):
    client = session(
        place,
        "web",
        scope="files:read",
        redirect_uri=place["clients"]["web"]["redirect"],
        code_challenge_method="S256",
    )
    url, _ = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=generate_token(48))
    back = person.agree(url)
    with pytest.raises(OAuthError) as caught:
        client.fetch_token(
            metadata["token_endpoint"], authorization_response=back, code_verifier=generate_token(48)
        )
    assert caught.value.error == "invalid_grant"


def test_refresh_introspect_revoke(place, metadata, person):
    client = log_in(place, metadata, person)
    old = dict(client.token)
    new = client.refresh_token(metadata["token_endpoint"])
    assert new["refresh_token"] != old["refresh_token"] and new["access_token"] != old["access_token"]

    facts = client.introspect_token(metadata["introspection_endpoint"], token=new["access_token"]).json()
    assert facts["active"] and facts["client_id"] == place["clients"]["web"]["id"]
    assert client.revoke_token(metadata["revocation_endpoint"], token=new["refresh_token"]).status_code == 200
    facts = client.introspect_token(metadata["introspection_endpoint"], token=new["access_token"]).json()
    assert facts == {"active": False}
    with pytest.raises(OAuthError):
        client.refresh_token(metadata["token_endpoint"], refresh_token=new["refresh_token"])


def test_device(place, metadata, person):
    client = session(place, "native", token_endpoint_auth_method="none")
    invitation = client.post(
        metadata["device_authorization_endpoint"],
        data={"client_id": place["clients"]["native"]["id"], "scope": "files:read offline_access"},
        withhold_token=True,
    ).json()
    poll = {"grant_type": DEVICE, "device_code": invitation["device_code"]}
    with pytest.raises(OAuthError) as caught:
        client.fetch_token(metadata["token_endpoint"], **poll)
    assert caught.value.error == "authorization_pending"
    with pytest.raises(OAuthError) as caught:
        client.fetch_token(metadata["token_endpoint"], **poll)
    assert caught.value.error == "slow_down"
    person.let_in(invitation["verification_uri_complete"])
    token = client.fetch_token(metadata["token_endpoint"], **poll)
    assert token["refresh_token"]
    assert token["expires_at"] > time.time()


def test_client_credentials(place, metadata):
    client = session(place, "robot", scope="files:read")
    token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert "refresh_token" not in token and token["scope"] == "files:read"
    facts = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert facts["active"] and facts["sub"] == place["clients"]["robot"]["id"]
