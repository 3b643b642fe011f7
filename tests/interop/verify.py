"""Gets tokens as authlib's OAuth 2.0 client does, and verifies them by PyJWT and authlib.

One JSON document on standard input says where everything is; the last line of the output is the token. Whatever is not as
it should be ends this with an exception.
"""

import json
import sys
import warnings

import jwt
import requests
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

# It is to be replaced by joserfc, of the same author; it is what many still have.
warnings.simplefilter("ignore", AuthlibDeprecationWarning)
from authlib.jose import JsonWebKey, JsonWebToken  # noqa: E402
from authlib.jose.errors import JoseError  # noqa: E402

scene = json.load(sys.stdin)
issuer, audience, algorithm = scene["issuer"], scene["audience"], scene["algorithm"]


def spoiled(token):
    """The token with one character of its signature, and one of its claims, changed."""
    def flipped(text, at):
        return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]
    header, claims, signature = token.split(".")
    return [f"{header}.{claims}.{flipped(signature, 10)}", f"{header}.{flipped(claims, 30)}.{signature}"]


metadata = requests.get(scene["base"] + "/.well-known/oauth-authorization-server", timeout=10).json()
AuthorizationServerMetadata(metadata).validate_token_endpoint_auth_methods_supported()
assert metadata["issuer"] == issuer, metadata
assert metadata["token_endpoint"] == scene["base"] + "/token", metadata

# By both ways of authenticating; the secret holds what must be encoded.
tokens = []
for method in ("client_secret_basic", "client_secret_post"):
    client = OAuth2Session(
        scene["client_id"], scene["secret"], scope="menu:read", token_endpoint_auth_method=method
    )
    answer = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert answer["token_type"] == "Bearer" and answer["scope"] == "menu:read", answer
    seen = client.get(scene["gateway"] + "/orders/menu", timeout=10)
    assert seen.status_code == 200, seen.text
    introspected = client.introspect_token(metadata["introspection_endpoint"], token=answer["access_token"]).json()
    assert introspected["active"] is True, introspected
    if scene["revocation"]:
        client.revoke_token(metadata["revocation_endpoint"], token=tokens[0] if tokens else "unknown")
    tokens.append(answer["access_token"])
if scene["revocation"]:
    seen = requests.get(scene["gateway"] + "/orders/menu", headers={"Authorization": f"Bearer {tokens[0]}"}, timeout=10)
    assert seen.status_code == 401, "a token that was taken back is still good"
token = tokens[-1]
bad = spoiled(token)

# PyJWT, by our key set's URL.
key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
options = {"require": ["exp", "iat", "nbf", "iss", "sub", "aud", "jti"]}
claims = jwt.decode(token, key.key, algorithms=[algorithm], audience=audience, issuer=issuer, options=options)
assert claims["azp"] == scene["client_id"], claims
for one in bad:
    try:
        jwt.decode(one, key.key, algorithms=[algorithm], audience=audience, issuer=issuer)
    except jwt.InvalidTokenError:
        continue
    raise AssertionError("PyJWT took a bad token")

# authlib.
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
wanted = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
claims = JsonWebToken([algorithm]).decode(token, keys, claims_options=wanted)
claims.validate()
for one in bad:
    try:
        JsonWebToken([algorithm]).decode(one, keys, claims_options=wanted).validate()
    except (JoseError, ValueError):
        continue
    raise AssertionError("authlib took a bad token")

print(json.dumps({"good": token, "bad": bad}))
