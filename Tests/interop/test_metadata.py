"""What the service says about itself, read by those who wrote the standards down as code."""

import requests
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.discovery import OpenIDProviderMetadata


def test_the_metadata_is_what_rfc_8414_says(place, metadata):
    assert get_well_known_url(metadata["issuer"], external=True) == (
        place["url"] + "/.well-known/oauth-authorization-server"
    )
    AuthorizationServerMetadata(metadata).validate()


def test_the_metadata_is_what_openid_discovery_says(place):
    answer = requests.get(place["url"] + "/.well-known/openid-configuration", verify=place["ca"])
    OpenIDProviderMetadata(answer.json()).validate()


def test_every_endpoint_is_there(place, metadata):
    for name, url in metadata.items():
        if name.endswith("_endpoint") or name in ("jwks_uri", "service_documentation"):
            assert url.startswith(place["url"] + "/")
            assert requests.get(url, verify=place["ca"]).status_code != 404, name
