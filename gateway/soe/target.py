"""The request target as received, made comparable: one spelling for what SOE takes as one path.

Decoded once, in lower case, without one trailing slash. Whatever IIS, ASP.NET or a proxy between
could read in another way is refused, not repaired: security folk know each of these by a CVE.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize
from urllib.parse import unquote_to_bytes

from gateway.errors import RequestError

MAX_TARGET = 8192
"""Bytes."""

_ESCAPE = r"%[0-9A-Fa-f]{2}"
# RFC 3986 section 3.3: segments of at least one pchar, and at most one slash at the end.
_PATH = re.compile(rf"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{_ESCAPE})+)+/?|/".encode())
# Clients send more than section 3.4 allows (brackets, braces, quotes); all of it is literal to SOE.
_QUERY = re.compile(rf"(?:[!\"$&-\[\]-~]|{_ESCAPE})*".encode())
# What changes the structure of a path once it is decoded: separators, escapes, control characters.
_ENCODED_STRUCTURE = re.compile(rb"%(?:25|2f|5c|[01][0-9a-f]|7f)")
# A segment that some readers would cut, drop or climb from: it ends in a dot or a space, which Windows
# trims; it carries a path parameter (`..;a=b`, `;jsessionid=1`); it is one of ASP.NET's cookieless
# segments, `(S(…))`.
_SLIPPERY = re.compile(r"[. ](?:/|\Z)|/(?:[^/;]*[. ])?;|;[^/]*=|/\([a-z]\(")


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a target into path and query, both still encoded.

    Raises:
        RequestError: `ambiguous_target` (400): not the origin form of RFC 9112 section 3.2.1, or
            no valid URI.
    """
    path, _, query = target.partition(b"?")
    if query and not _QUERY.fullmatch(query):
        raise _ambiguous("its query holds bytes or escapes that a URI may not hold")
    return path, query


def canonical(path: bytes) -> str:
    """Decode and fold an encoded path, so that equal paths have one spelling.

    Raises:
        RequestError: `ambiguous_target` (400).
    """
    if not _PATH.fullmatch(path):
        raise _ambiguous("its path is no plain absolute path (RFC 3986 section 3.3)")
    folded = path.lower()
    if b"%" in folded:
        if _ENCODED_STRUCTURE.search(folded):
            raise _ambiguous("it encodes a slash, a backslash, a percent sign or a control")
        # What is left encoded may be an upper-case letter.
        folded = unquote_to_bytes(folded).lower()
    try:
        text = folded.decode()
    except UnicodeDecodeError:
        raise _ambiguous("its escapes are not UTF-8") from None
    if not text.isascii() and (normalize("NFKC", text) != text or any(map(_is_slippery, text))):
        raise _ambiguous("it holds characters that some readers fold into others")
    text = text.removesuffix("/")
    if _SLIPPERY.search(text):
        raise _ambiguous("a segment ends in a dot or space, or carries a path parameter")
    return text


def _is_slippery(character: str) -> bool:
    """Tell whether changing its case may give ASCII, or whether it is no letter, mark or digit.

    So go the dotless i, which is I in capitals, and the slashes and dots of other scripts, which
    Windows maps to ours by best fit; NFKC has dealt with full-width forms and the Kelvin sign.
    """
    if character.isascii():
        return False
    folds = (character.casefold(), character.upper(), character.lower())
    return category(character)[0] not in "LMN" or any(fold[0].isascii() for fold in folds)


def _ambiguous(why: str) -> RequestError:
    return RequestError(400, "ambiguous_target", f"The target cannot be read in one way: {why}.")
