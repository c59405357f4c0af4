"""The names in a client certificate: of the handshake, or as a proxy before us tells them. Pure.

A proxy tells them in a header field, in one of two forms: the elements of Envoy's
`x-forwarded-client-cert`, or the certificate itself as PEM in URL encoding, as nginx's
`$ssl_client_escaped_cert` has it. Whether the field may be believed is for the caller to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509

from gateway.policy.registry import certificate_name

_PEM = b"-----BEGIN"
_LARGEST = 16_384
_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\["\\])*"|[^",;=\\]*)(;|\Z)')
_NAMES = {"uri": "URI", "dns": "DNS"}
_KNOWN = {*_NAMES, "by", "hash", "cert", "chain", "subject"}


def names_in_handshake(peer: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Give the names in a certificate that `ssl` has verified, as `getpeercert` tells it."""
    told = (peer or {}).get("subjectAltName", ())
    kinds = {"DNS", "URI", "email"}
    return tuple(certificate_name(f"{kind}:{value}") for kind, value in told if kind in kinds)


@lru_cache(128)
def names_in_field(value: bytes) -> tuple[str, ...]:
    """Give the names in a proxy's header field; none where the client had no certificate.

    Raises:
        ValueError: it is neither form, or tells of several certificates.
    """
    if not value:
        return ()
    if len(value) > _LARGEST:
        raise ValueError("too long")
    found = _in_pem(value) if value.startswith(_PEM) else _in_elements(value.decode())
    return tuple(map(certificate_name, found))


def _in_pem(value: bytes) -> Iterator[str]:
    pem = unquote_to_bytes(value)
    if pem.count(_PEM) != 1:
        raise ValueError("not one certificate")
    try:
        names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError("not a plain certificate") from error
    for name in names.value:
        match name:
            case x509.DNSName():
                yield f"DNS:{name.value}"
            case x509.UniformResourceIdentifier():
                yield f"URI:{name.value}"
            case x509.RFC822Name():
                yield f"email:{name.value}"


def _in_elements(text: str) -> Iterator[str]:
    """Read one element of `key=value` pairs; a second one would be of another hop."""
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None or pair[1].lower() not in _KNOWN:
            raise ValueError("not one element")
        value = pair[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        if kind := _NAMES.get(pair[1].lower()):
            yield f"{kind}:{value}"
        at = pair.end()
