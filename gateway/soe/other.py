"""What else of SOE may cross the gateway: the OAuth exchange, and SCIM's users."""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import BodyKind, Endpoint

_FORM, _JSON, _NONE = BodyKind.FORM, BodyKind.JSON, BodyKind.NONE

ENDPOINTS = (
    Endpoint(api=Api.OAUTH, method="POST", template="access_token", operation="oauth.exchange", body=_FORM),
    Endpoint(api=Api.OAUTH, method="POST", template="access_token/json", operation="oauth.exchange", body=_FORM),
    # A person signs in at SOE itself, where its cookies belong.
    Endpoint(api=Api.OAUTH, method="GET", template="", operation="read", write=False, redirects=True),
    Endpoint(api=Api.OAUTH, method="GET", template="dialog", operation="read", write=False, redirects=True),
    Endpoint(api=Api.SCIM, method="POST", template="users", operation="user.provision", body=_JSON),
    Endpoint(api=Api.SCIM, method="PUT", template="users/{name}", operation="user.provision", body=_JSON),
    Endpoint(api=Api.SCIM, method="PATCH", template="users/{name}", operation="user.provision", body=_JSON),
    Endpoint(api=Api.SCIM, method="DELETE", template="users/{name}", operation="user.deprovision", body=_NONE),
    Endpoint(api=Api.SCIM, method="GET", template="users", operation="read", write=False),
    Endpoint(api=Api.SCIM, method="GET", template="users/{name}", operation="read", write=False),
)  # fmt: skip
