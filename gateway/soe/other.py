"""The endpoints beside the two APIs: the OAuth code exchange and its pages, and SCIM."""

from __future__ import annotations

from gateway.model import Api
from gateway.soe.endpoint import BodyKind, Endpoint

_NONE, _OBJECT, _FORM = BodyKind.NONE, BodyKind.OBJECT, BodyKind.FORM

# fmt: off
_WRITES: tuple[tuple[Api, str, str, str, BodyKind], ...] = (
    (Api.OAUTH, "POST", "/oauth/access_token", "oauth.exchange", _FORM),
    (Api.OAUTH, "POST", "/oauth/access_token/json", "oauth.exchange", _FORM),
    (Api.SCIM, "POST", "/api/scim/v2/users", "user.provision", _OBJECT),
    (Api.SCIM, "PUT", "/api/scim/v2/users/{account}", "user.provision", _OBJECT),
    (Api.SCIM, "PATCH", "/api/scim/v2/users/{account}", "user.provision", _OBJECT),
    (Api.SCIM, "DELETE", "/api/scim/v2/users/{account}", "user.deprovision", _NONE),
)
# fmt: on

_PAGES = ("/oauth", "/oauth/dialog")

ENDPOINTS = (
    *(
        Endpoint(api=api, method=method, template=template, operation=operation, body=body)
        for api, method, template, operation, body in _WRITES
    ),
    *(
        Endpoint(
            api=Api.OAUTH,
            method=method,
            template=template,
            operation="read",
            write=False,
            redirects=True,
        )
        for template in _PAGES
        for method in ("GET", "HEAD")
    ),
)
