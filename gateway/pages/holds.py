"""What is told of a write that waits for a person: to programs, and to people."""

from __future__ import annotations

from typing import Any

from gateway.model import ANONYMOUS, Approver, Outcome
from gateway.proxy.hold import Hold, Status, Visitor

_VERBS = {"create": "A new {}", "edit": "A change of {}", "delete": "The deletion of {}"}


def status(hold: Hold) -> dict[str, Any]:
    """Tell a program how far a hold is; nothing of the post, and nobody's name."""
    return {
        "status": hold.status.value,
        "until": hold.until,
        "approver": hold.approver.value,
        "integration": hold.integration,
        "operation": hold.operation,
        "decision_id": hold.write_id,
        "rules": [
            {
                "rule": rule.rule,
                "title": rule.title,
                "message": rule.message,
                "fix": rule.fix,
                "approver": rule.approver.value,
            }
            for rule in hold.rules
        ],
    }


def facts(hold: Hold, visitor: Visitor, site: str) -> dict[str, Any]:
    """Tell a person what waits and what became of it; nothing of its text.

    Names of people are told to who signed in, or where whoever has the link may decide.

    Args:
        site: where people reach SOE, as `https://host`.
    """
    names = visitor.signed_in or hold.approver is Approver.LINK
    heading, told = _standing(hold, names=names)
    return {
        "heading": heading,
        "told": told,
        "status": hold.status.value,
        "until": hold.until,
        "post_url": hold.url or "",
        "site": site,
        "team": hold.team or "",
        "thread": _thread(hold, site, title=names),
        "what": what(hold),
        "name": _name(hold, names=names),
        "by_name": names and hold.person is not None,
        "who": _who(hold, names=names),
        "rule_owners": list(dict.fromkeys(rule.owner for rule in hold.rules if rule.owner)),
        "rules": status(hold)["rules"],
    }


def what(hold: Hold) -> str:
    """Say what a write does, in a few words."""
    noun, _, verb = hold.operation.partition(".")
    if verb not in _VERBS:
        return f"{hold.operation}{f' of {_spoken(hold.target)}' if hold.target else ''}"
    named = _spoken(hold.target) if hold.target and verb != "create" else noun.replace("_", " ")
    return _VERBS[verb].format(named)


def _standing(hold: Hold, *, names: bool) -> tuple[str, str]:
    """Say how far it is: as a heading, and what is to be done."""
    sender = hold.integration
    by = (hold.by.name or hold.by.id) if hold.by is not None and names else ""
    said = f" by {by}" if by else ""
    if hold.status is Status.OPEN:
        return "A post waits for you to confirm it", ""
    if hold.status is Status.DECLINED:
        return "Not posted", f"It was declined{said}: nothing was posted."
    if hold.status is Status.CONFIRMED:
        return (
            "Confirmed",
            f"It was confirmed{said}. Send it again from {sender}: exactly this passes, once.",
        )
    if hold.status is Status.EXPIRED:
        return (
            "Too late",
            f"Its time is over, so nothing was posted by it. Send it again from {sender}.",
        )
    if hold.outcome is Outcome.OK:
        return "Posted", f"It was confirmed{said}, and posted."
    if hold.outcome is None:
        return "On its way", f"It was confirmed{said}, and {sender} sent it again."
    return "Perhaps posted", (
        f"It was confirmed{said}, and {sender} sent it again, but Stack Overflow did not say what "
        "became of it. Look whether it stands there."
    )


def _name(hold: Hold, *, names: bool) -> str:
    """Say under which name it will stand."""
    if hold.person is not None and names:
        email = hold.person.email
        return f"{hold.person.name} ({email})" if email else hold.person.name
    sender = "of this request" if hold.integration == ANONYMOUS else f"of {hold.integration}"
    return f"The owner of the token {sender}"


def _who(hold: Hold, *, names: bool) -> str:
    """Say who may decide."""
    if hold.approver is Approver.OWNER:
        reached = ", ".join(filter(None, (hold.owner, hold.contact)))
        return f"who owns {hold.integration} ({reached})" if reached else "its owner"
    if hold.person is not None and names:
        return _name(hold, names=names)
    return "the person under whose name it will stand"


def _thread(hold: Hold, site: str, *, title: bool) -> dict[str, str] | None:
    if not hold.thread:
        return None
    kind, _, number = hold.thread.partition("/")
    # SOE leads from the number of any post of a thread to the thread.
    path = f"{'articles' if kind == 'article' else 'questions'}/{number}"
    team = f"/c/{hold.team}" if hold.team else ""
    return {
        "url": f"{site}{team}/{path}",
        "name": _spoken(hold.thread),
        "title": hold.thread_title if title else "",
    }


def _spoken(post: str) -> str:
    return post.replace("_", " ").replace("/", " ")
