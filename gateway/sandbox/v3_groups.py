"""Methods of API v3 on people and what they belong to: tags, user groups, communities."""

from __future__ import annotations

from typing import Any

from gateway.sandbox.site import Group, SiteError
from gateway.sandbox.v3_posts import ids_of, text_of
from gateway.sandbox.v3_shapes import (
    EPOCH,
    Answer,
    Call,
    Method,
    community_of,
    date,
    group_of,
    page,
    person,
    tag,
    user,
    user_details,
)


def _tag_name(call: Call) -> str:
    for name, number in call.space.tags.items():
        if number == call.path["tag"]:
            return name
    raise SiteError(404, "tags/not-found", "Tag not found")


def watchers(call: Call) -> Answer:
    """List a tag's watchers, of whom there are none."""
    _tag_name(call)
    return 200, {"users": []}


def show_tag(call: Call) -> Answer:
    """Show a tag with its experts."""
    told = tag(call, _tag_name(call))
    return 200, told | {"subjectMatterExperts": experts(call)}


def experts(call: Call) -> dict[str, Any]:
    """The experts of a tag."""
    users, groups = call.space.experts.get(call.path["tag"], ([], []))
    return {
        "users": [user(call, person(call, number)) for number in users],
        "userGroups": [
            group_of(call, call.space.groups[n]) for n in groups if n in call.space.groups
        ],
    }


def edit_experts(which: str) -> Method:
    """Set or add experts of a tag."""

    def method(call: Call) -> Answer:
        _tag_name(call)
        users, groups = call.space.experts.setdefault(call.path["tag"], ([], []))
        if which == "both":
            users[:], groups[:] = ids_of(call, "userIds"), ids_of(call, "userGroupIds")
        else:
            (users if which == "users" else groups).extend(ids_of(call))
        return 200, experts(call)

    return method


def remove_expert(call: Call) -> Answer:
    """Take an expert from a tag."""
    _tag_name(call)
    users, groups = call.space.experts.get(call.path["tag"], ([], []))
    for found, name in ((users, "user"), (groups, "group")):
        if call.path.get(name) in found:
            found.remove(call.path[name])
    return 204, None


def get_group(call: Call, kind: str) -> Group:
    """The user group or community that the path names."""
    groups = call.space.groups if kind == "group" else call.space.communities
    if call.path[kind] not in groups:
        raise SiteError(404, f"{kind}s/not-found", "Not found")
    return groups[call.path[kind]]


def create_group(call: Call) -> Answer:
    """Add a user group."""
    number = max(call.space.groups, default=0) + 1
    name, told = text_of(call, "name"), text_of(call, "description", required=False)
    call.space.groups[number] = Group(number, name, told, ids_of(call, "userIds"))
    return 201, group_of(call, call.space.groups[number])


def edit_group(call: Call) -> Answer:
    """Replace a user group."""
    group = get_group(call, "group")
    group.name = text_of(call, "name")
    group.description = text_of(call, "description", required=False)
    group.members = ids_of(call, "userIds")
    return 200, group_of(call, group)


def add_members(call: Call) -> Answer:
    """Add people to a user group."""
    group = get_group(call, "group")
    group.members += [number for number in ids_of(call) if number not in group.members]
    return 200, group_of(call, group)


def remove_member(call: Call) -> Answer:
    """Take somebody from a user group."""
    group = get_group(call, "group")
    group.members = [number for number in group.members if number != call.path["user"]]
    return 200, group_of(call, group)


def join(*, bulk: bool, leave: bool) -> Method:
    """Let the person, or many, join or leave a community."""

    def method(call: Call) -> Answer:
        community = get_group(call, "community")
        meant = ids_of(call, "memberUserIds") if bulk else [call.user.id]
        kept = [number for number in community.members if number not in meant]
        community.members = kept if leave else kept + meant
        return 200, community_of(call, community)

    return method


def known_user(call: Call) -> Answer:
    """Show the user that the path names."""
    number = call.path["user"]
    if number not in call.site.people.users:
        raise SiteError(404, "user/not-found", "User not found")
    return 200, user_details(call, call.site.people.users[number])


def by_email(call: Call) -> Answer:
    """Find a user by their address."""
    for who in call.site.people.users.values():
        if call.words["email"] == who.email:
            return 200, user_details(call, who)
    raise SiteError(404, "user/not-found", "User not found")


def by_external_id(call: Call) -> Answer:
    """Find users by what names them where they sign in."""
    people = call.site.people.users.values()
    meant = [who for who in people if who.external_id == call.words["external"]]
    return 200, [user_details(call, who) for who in meant]


def managed(call: Call) -> Answer:
    """List users for an admin."""
    dates = dict.fromkeys(("creationDate", "lastModifiedDate", "lastAccessDate"), date(EPOCH))
    told = [
        user(call, who) | dates | {"email": who.email, "isDeactivated": False}
        for who in call.site.people.users.values()
    ]
    return page(call, told, "id")
