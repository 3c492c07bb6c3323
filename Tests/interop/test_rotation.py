"""Keys come and go under load, and no library that keeps keys ever meets a token that it cannot check."""

import json
import os
import ssl
import threading
import time

import jose.jwt
import jwcrypto.jwk
import jwcrypto.jwt
import jwt as pyjwt
import requests
from authlib.jose import JsonWebKey, JsonWebToken
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

ROTATIONS = int(os.environ.get("DALEKS_ROTATIONS", "4"))

# How long a key is announced, and then signs. With 40 every library runs as it comes; that takes a quarter of an hour.
# With less, what is measured in seconds by default is shortened alike.
SECONDS = int(os.environ.get("DALEKS_ROTATION_SECONDS", "2"))


class CachedKeys:
    """The key set, kept for as long as its answer allows, and never asked for in between: not even for a key that is
    not in it. The libraries that bring no client of their own are used so."""

    def __init__(self, url, ca):
        self.url, self.ca = url, ca
        self.document, self.until, self.fetches = None, 0, 0
        self.session = requests.Session()

    def current(self):
        now = time.monotonic()
        if now >= self.until:
            answer = self.session.get(self.url, verify=self.ca)
            answer.raise_for_status()
            ages = [part.strip() for part in answer.headers["Cache-Control"].split(",")]
            age = next(int(part.split("=")[1]) for part in ages if part.startswith("max-age="))
            assert age >= 1
            self.document, self.until, self.fetches = answer.json(), now + age, self.fetches + 1
        return self.document


def checkers(url, ca, audience, issuer):
    """One function for each library; each raises where a token does not pass."""
    # PyJWT keeps the set for five minutes, and asks again for a key that it does not know, but not within half a minute
    # of the last time.
    cooldown = {} if SECONDS > 30 else {"cooldown_duration": SECONDS / 2}
    pyjwt_keys = pyjwt.PyJWKClient(url, ssl_context=ssl.create_default_context(cafile=ca), **cooldown)

    def with_pyjwt(token):
        key = pyjwt_keys.get_signing_key_from_jwt(token)
        pyjwt.decode(token, key.key, algorithms=["ES256"], audience=audience, issuer=issuer, leeway=5)

    caches = [CachedKeys(url, ca) for _ in range(4)]

    def with_authlib(token):
        claims = JsonWebToken(["ES256"]).decode(
            token,
            JsonWebKey.import_key_set(caches[0].current()),
            claims_options={"aud": {"value": audience}, "iss": {"value": issuer}},
        )
        claims.validate(leeway=5)

    def with_joserfc(token):
        joserfc_jwt.decode(token, KeySet.import_key_set(caches[1].current()), algorithms=["ES256"])

    def with_jwcrypto(token):
        keys = jwcrypto.jwk.JWKSet.from_json(json.dumps(caches[2].current()))
        jwcrypto.jwt.JWT(jwt=token, key=keys, algs=["ES256"], check_claims={"iss": issuer, "aud": audience})

    def with_python_jose(token):
        jose.jwt.decode(token, caches[3].current(), algorithms=["ES256"], audience=audience, issuer=issuer)

    return [with_pyjwt, with_authlib, with_joserfc, with_jwcrypto, with_python_jose]


class Rotation(threading.Thread):
    """Asks for tokens all the time and has each checked at once, and a second later, by all libraries."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place = place
        self.failures, self.names, self.checked = [], set(), 0

    def run(self):
        try:
            self.rotate()
        except Exception as error:
            self.failures.append(f"the test itself: {error!r}")

    def rotate(self):
        url, ca = self.place["rotating_url"], self.place["ca"]
        robot = self.place["clients"]["rotating_robot"]
        check = checkers(url + "/.well-known/jwks.json", ca, url, url)
        session = requests.Session()
        session.verify = ca
        session.auth = (robot["id"], robot["secret"])
        kept = []
        end = time.monotonic() + (10 + SECONDS) * ROTATIONS
        while len(self.names) <= ROTATIONS and time.monotonic() < end:
            answer = session.post(url + "/oauth/token", data={"grant_type": "client_credentials"})
            answer.raise_for_status()
            token = answer.json()["access_token"]
            self.names.add(pyjwt.get_unverified_header(token)["kid"])
            now = time.monotonic()
            kept.append((now, token))
            later = [old for when, old in kept if when < now - 1]
            kept = [(when, old) for when, old in kept if when >= now - 1]
            for token in [token] + later:
                for verify in check:
                    try:
                        verify(token)
                    except Exception as error:
                        self.failures.append(f"{verify.__name__}: {error!r}")
                    self.checked += 1
            time.sleep(0.05)


def test_no_token_fails_in_any_library_while_keys_rotate(meanwhile):
    rotation = meanwhile["rotation"]
    rotation.join(timeout=(10 + SECONDS) * ROTATIONS + 30)
    assert not rotation.failures, rotation.failures[:5]
    assert len(rotation.names) > ROTATIONS
    assert rotation.checked > 5 * ROTATIONS
    print(f"{rotation.checked} checks of tokens by {len(rotation.names)} keys")
