"""Real clients ask the sandbox who they are, and write as somebody else."""

from __future__ import annotations

from pathlib import Path

import trustme

from tests.e2e.stack import sandbox
from tests.e2e.test_clients import python

SO4T = """
import json, sys
from so4t_api import StackClient
client = StackClient(url=sys.argv[1], token="demo", key="k")
grace = client.get_account_id_by_email("grace@example.com")
question = dict(title="How do I rotate the signing key?", body="It runs out.", tags=["keys"])
made = client.impersonate_question_by_account_id(**question, account_id=grace)
print(json.dumps({
    "me": client.get_myself()["email"],
    "other": client.get_impersonated_user(grace)["email"],
    "site": client.get_impersonated_user(-1)["name"],
    "owner": made["owner"]["name"],
}))
"""


def test_so4t_api_writes_as_somebody_else(tmp_path: Path) -> None:
    """The token's person is one, the owner of what an impersonation token wrote another."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "all.pem")
    both = str(tmp_path / "all.pem")
    with sandbox("--tls-cert", both, "--tls-key", both) as url:
        told = python(SO4T, url, REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))

    assert told == {
        "me": "ada@example.com",
        "other": "grace@example.com",
        "site": "Community",
        "owner": "Grace",
    }


STACKAPI = """
import json, sys
from stackapi import StackAPI, StackAPIError
def client(token):
    return StackAPI("stackoverflow", base_url=sys.argv[1] + "/api", key="k", access_token=token)
told = {"me": client("grace").fetch("me")["items"][0]["display_name"]}
told["posts"] = len(client("ada").fetch("me/questions")["items"])
try:
    client("nobodys").fetch("me")
except StackAPIError as error:
    told["refused"] = [error.error, error.code]
print(json.dumps(told))
"""


def test_stackapi_asks_who_it_is() -> None:
    """Its token is that of a person, or refused by the number that it shows."""
    with sandbox("--token", "grace", "--token", "ada") as url:
        told = python(STACKAPI, url)

    assert told == {"me": "Grace", "posts": 1, "refused": [402, "invalid_access_token"]}
