"""From claims to what we keep."""

from typing import Any

import pytest

from users.protocol import claims
from users.protocol.claims import Names

NAMES = Names(user_id="preferred_username", email="email", full_name="name", groups="groups", account="upn")


def read(**said: Any) -> claims.Claimed:
    return claims.read({"sub": "1", **said}, NAMES)


@pytest.mark.parametrize("value", [None, 7, ["anna"], {"a": "b"}, "a\nb", "x" * 151, True])
def test_what_is_no_user_id_is_not_said(value: Any) -> None:
    assert read(preferred_username=value).user_id == ""


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        (["Staff", "Managers"], {"Staff", "Managers"}),
        (["Staff", 7, "", "x" * 256], {"Staff"}),
        ("Staff", {"Staff"}),
        ("Staff; Managers", {"Staff", "Managers"}),
        ([], set()),
        (None, None),
        (7, None),
        (["x"] * 5001, None),
    ],
)
def test_groups(value: Any, groups: set[str] | None) -> None:
    assert read(groups=value).groups == groups


@pytest.mark.parametrize(("verified", "email"), [({}, "a@b.example"), ({"email_verified": False}, "")])
def test_an_address_that_was_not_verified_is_not_taken(verified: dict[str, bool], email: str) -> None:
    assert read(email="a@b.example", **verified).email == email


def test_a_dot_leads_into_an_object_unless_it_is_part_of_the_name() -> None:
    said = {"realm_access": {"roles": ["staff"]}, "https://corp.example/roles": ["boss"]}

    assert claims.find(said, "realm_access.roles") == ["staff"]
    assert claims.find(said, "https://corp.example/roles") == ["boss"]
    assert claims.find(said, "realm_access.roles.deeper") is None


def test_what_is_not_asked_for_is_not_taken() -> None:
    said = claims.read({"sub": "1", "email": "a@b.example", "": "x"}, Names(user_id="email"))

    assert (said.user_id, said.email, said.account, said.groups) == ("a@b.example", "", "", None)


@pytest.mark.parametrize(("said", "lacks"), [({}, True), ({"preferred_username": "a"}, False)])
def test_what_is_lacking_is_worth_a_question(said: dict[str, str], *, lacks: bool) -> None:
    assert claims.lacks(said, Names(user_id="preferred_username")) is lacks
