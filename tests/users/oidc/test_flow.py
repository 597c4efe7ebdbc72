"""To the provider and back: what is believed, and all that is not."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.providers.pretender import CLIENT, Pretender, row
from tests.users.oidc.travel import PURPOSE, arrive, at, depart, travel
from users.errors import ProviderDoubted, ProviderDown, ProviderSaidNo, SignInStale
from users.models import SpentSignIn
from users.services.oidc import flow, known
from users.services.oidc.flow import Purpose

pytestmark = pytest.mark.django_db


def test_somebody_signs_in(pretender: Pretender) -> None:
    provider = row()

    arrival = travel(pretender, provider, login_hint="anna@corp.example")

    assert (arrival.claimed.subject, arrival.claimed.user_id, arrival.claimed.full_name) == (
        "s-anna",
        "anna",
        "Anna Berg",
    )
    asked = pretender.asked[0]
    assert (asked["response_type"], asked["client_id"], asked["login_hint"]) == ("code", CLIENT, "anna@corp.example")
    assert asked["redirect_uri"] == PURPOSE.callback
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"].split()[0] == "openid"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


def test_nothing_is_written_before_somebody_is_back(pretender: Pretender) -> None:
    depart(row())

    assert not SpentSignIn.objects.exists()


def test_what_the_id_token_lacks_comes_from_userinfo(pretender: Pretender) -> None:
    pretender.person = {"sub": "s-anna", "email": "anna@corp.example"}
    pretender.userinfo = {
        "sub": "s-anna",
        "preferred_username": "anna",
        "email": "else@corp.example",
        "groups": ["Staff"],
    }

    claimed = travel(pretender, row()).claimed

    assert (claimed.user_id, claimed.email, claimed.groups) == ("anna", "anna@corp.example", frozenset({"Staff"}))


def test_userinfo_of_somebody_else(pretender: Pretender) -> None:
    pretender.userinfo = {"sub": "s-bob", "preferred_username": "bob"}

    with pytest.raises(ProviderDoubted):
        travel(pretender, row())


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def with_(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: claims | values


WRONG_CLAIMS = [
    with_(iss="https://evil.example"),
    with_(aud="another"),
    with_(aud=["another", "third"]),
    with_(aud=[CLIENT, "another"], azp="another"),
    with_(azp="another"),
    with_(exp=int(time.time()) - 86_400),
    with_(exp="soon"),
    with_(iat=int(time.time()) + 86_400),
    with_(nbf=int(time.time()) + 86_400),
    with_(nonce="another"),
    with_(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    with_(sub=""),
    with_(sub="x" * 256),
    with_(sub="a\nb"),
    with_(sub=7),
    *map(without, ("iss", "aud", "exp", "iat", "nonce", "sub")),
]


@pytest.mark.parametrize("changed", WRONG_CLAIMS)
def test_claims_that_are_not_believed(pretender: Pretender, changed: Callable[[Any], Any]) -> None:
    provider = row()
    pretender.changed = changed

    with pytest.raises(ProviderDoubted):
        travel(pretender, provider)

    assert not SpentSignIn.objects.exists()


def parts(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]


def joined(*pieces: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in pieces)


def unsigned(token: str) -> str:
    return joined(json.dumps({"alg": "none"}).encode(), parts(token)[1], b"")


def by_secret(token: str) -> str:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    from tests.providers.pretender import SECRET

    return jwt.encode({"alg": "HS256"}, json.loads(parts(token)[1]), OctKey.import_key(SECRET * 2))


def by_stranger(token: str) -> str:
    from joserfc import jwt

    from tests.providers.pretender import rsa

    return jwt.encode({"alg": "RS256", "kid": "k80"}, json.loads(parts(token)[1]), rsa(81))


def altered(token: str) -> str:
    header, body, signature = parts(token)
    return joined(header, body.replace(b"anna", b"root"), signature)


@pytest.mark.parametrize(
    "signed", [unsigned, by_secret, by_stranger, altered, lambda _: "x", lambda _: "", lambda t: t * 60]
)
def test_signatures_that_are_not_believed(pretender: Pretender, signed: Callable[[str], str]) -> None:
    provider = row()
    pretender.signed = signed

    with pytest.raises(ProviderDoubted):
        travel(pretender, provider)


def test_a_new_key_is_looked_up_but_not_for_every_stranger(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = row()
    travel(pretender, provider)
    pretender.key = 81

    with pytest.raises(ProviderDoubted):  # the keys were fetched a moment ago
        travel(pretender, provider)
    monkeypatch.setattr(known, "AGAIN_SECONDS", 0)
    travel(pretender, provider)

    assert pretender.calls.count("/.well-known/openid-configuration") == 1


def test_a_callback_counts_once(pretender: Pretender) -> None:
    provider = row()
    departure = depart(provider)
    query = at(pretender, departure)
    arrive(provider, departure, query)

    with pytest.raises(ProviderDoubted):  # the provider has spent the code
        arrive(provider, departure, query)
    pretender.codes[query["code"]] = pretender.asked[-1]
    with pytest.raises(SignInStale):  # and if it had not
        arrive(provider, departure, query)


def test_a_callback_belongs_to_its_browser(pretender: Pretender) -> None:
    provider = row()
    mine, theirs = depart(provider), depart(provider)
    query = at(pretender, theirs)

    with pytest.raises(SignInStale):
        arrive(provider, mine, query)
    with pytest.raises(SignInStale):
        arrive(provider, mine, query, cookies={theirs.cookie: mine.value})
    with pytest.raises(SignInStale):
        arrive(provider, mine, query, cookies={})
    assert "/token" not in pretender.calls


@pytest.mark.parametrize("state", ["", "x", "x" * 5000, "\u00e4"])
def test_a_state_that_is_none_of_ours(pretender: Pretender, state: str) -> None:
    provider = row()
    departure = depart(provider)

    with pytest.raises(SignInStale):
        arrive(provider, departure, {"state": state, "code": "c"})


def test_a_callback_that_comes_too_late(pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = row()
    departure = depart(provider)
    query = at(pretender, departure)
    monkeypatch.setattr(flow, "SECONDS", -1)

    with pytest.raises(SignInStale):
        arrive(provider, departure, query)


def test_another_providers_callback_or_purpose(pretender: Pretender) -> None:
    provider, other = row(), row(name="Another")
    departure = depart(provider)
    query = at(pretender, departure)

    with pytest.raises(ProviderDoubted):
        arrive(other, departure, query)
    with pytest.raises(ProviderDoubted):
        arrive(provider, departure, query, purpose=Purpose(name="other", callback=PURPOSE.callback))
    assert "/token" not in pretender.calls


@pytest.mark.parametrize(
    ("says_so", "said", "outcome"),
    [
        ("no", {}, "believed"),
        ("no", {"iss": "https://login.example.test"}, "believed"),
        ("no", {"iss": "https://evil.example"}, "doubted"),
        ("yes", {}, "doubted"),
        ("yes", {"iss": "https://login.example.test"}, "believed"),
    ],
)
def test_who_sends_the_callback(pretender: Pretender, says_so: str, said: dict[str, str], outcome: str) -> None:
    """RFC 9207."""
    pretender.metadata = {"authorization_response_iss_parameter_supported": says_so == "yes"}
    pretender.callback = said
    provider = row()

    if outcome == "believed":
        assert travel(pretender, provider).claimed.subject == "s-anna"
    else:
        with pytest.raises(ProviderDoubted):
            travel(pretender, provider)


def test_the_person_cancels(pretender: Pretender) -> None:
    pretender.says_no = "access_denied"

    with pytest.raises(ProviderSaidNo) as refusal:
        travel(pretender, row())

    assert refusal.value.why == "access_denied"


def test_a_wrong_secret(pretender: Pretender) -> None:
    provider = row()
    provider.client_secret = b"another"
    provider.save()

    with pytest.raises(ProviderDoubted) as refusal:
        travel(pretender, provider)

    assert refusal.value.why == "token endpoint: invalid_client"


def test_the_provider_is_down_on_the_way_there_and_back(pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = row()
    departure = depart(provider)
    query = at(pretender, departure)
    pretender.is_down = True

    with pytest.raises(ProviderDown):
        arrive(provider, departure, query)
    monkeypatch.setattr(known, "SEEN_SECONDS", 0)  # known, but not seen just now
    with pytest.raises(ProviderDown):
        depart(provider)
    known.forget()
    with pytest.raises(ProviderDown):
        depart(provider)


def test_whoever_was_seen_just_now_is_not_asked_again(pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = row()
    metadata, keys = "/.well-known/openid-configuration", "/keys"
    for _ in range(2):
        depart(provider)
    assert pretender.calls == [metadata, keys]

    monkeypatch.setattr(known, "SEEN_SECONDS", 0)
    depart(provider)
    assert pretender.calls == [metadata, keys, metadata]


def test_what_it_said_before_counts_while_it_is_down(pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = row()
    depart(provider)
    pretender.is_down = True
    monkeypatch.setattr(known, "FRESH_SECONDS", 0)

    address = flow.sign_out_address(provider, id_token_hint="", then="https://mdm.example.test/")
    assert address.startswith("https://login.example.test/logout?")


def test_whoever_is_asked_anew_must_have_been(pretender: Pretender) -> None:
    provider = row()
    assert travel(pretender, provider, fresh=True).claimed.subject == "s-anna"
    assert (pretender.asked[-1]["prompt"], pretender.asked[-1]["max_age"]) == ("login", "0")

    pretender.changed = with_(auth_time=int(time.time()) - 3600)
    with pytest.raises(ProviderDoubted):
        travel(pretender, provider, fresh=True)
    pretender.changed = without("auth_time")
    with pytest.raises(ProviderDoubted):
        travel(pretender, provider, fresh=True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://login.example.test/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"jwks_uri": ["https://login.example.test/keys"]},
        {"userinfo_endpoint": "//login.example.test"},
    ],
)
def test_metadata_that_are_not_believed(pretender: Pretender, metadata: dict[str, Any]) -> None:
    pretender.metadata = metadata

    with pytest.raises(ProviderDoubted):
        depart(row())


def test_a_slash_at_the_end_of_the_issuer_is_no_difference(pretender: Pretender) -> None:
    pretender.issuer = "https://login.example.test/"

    assert travel(pretender, row(issuer="https://login.example.test")).claimed.subject == "s-anna"


def test_no_secret_is_shown(pretender: Pretender) -> None:
    provider = row()
    departure = depart(provider)

    shown = repr(departure) + repr(provider) + repr(arrive(provider, departure, at(pretender, departure)))

    for secret in ("a secret between", pretender.asked[0]["nonce"], pretender.asked[0]["state"]):
        assert secret not in shown
