"""The query of a device, however a redirect or a proxy rewrote it, and the one answer."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.protocol.discovery import DiscoveryRequest, ModelFamily, Version, document
from epmm.wire.errors import WireError

EXAMPLES = Path(__file__).parents[2] / "vectors" / "examples"

ANNA = DiscoveryRequest(
    identifier="anna@corp.example", local_part="anna", domain="corp.example", model_family=ModelFamily.IPHONE
)


@pytest.mark.parametrize(
    "query",
    [
        "user-identifier=anna@corp.example&model-family=iPhone",
        "model-family=iPhone&user-identifier=anna@corp.example",
        "user-identifier=anna%40corp.example&model-family=iPhone",
        "user%2Didentifier=%61nna%40corp%2eexample&model-family=%69Phone",
        "&&x=1&user-identifier=anna@corp.example&model-family=iPhone&y",
        "user-identifier=anna@corp.example&model-family=iPhone&user-identifier=eve@corp.example&model-family=Watch",
        "user-identifier=%20anna@corp.example%20&model-family=iPhone",
    ],
)
def test_same_request_in_many_forms(query: str) -> None:
    assert DiscoveryRequest.parse(query) == ANNA


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", DiscoveryRequest()),
        ("user-identifier=", DiscoveryRequest()),
        ("model-family=Mac", DiscoveryRequest(model_family=ModelFamily.MAC)),
        ("model-family=Toaster", DiscoveryRequest()),
        ("model-family=iphone", DiscoveryRequest()),
        ("user-identifier=anna", DiscoveryRequest(identifier="anna", local_part="anna")),
        ("user-identifier=@", DiscoveryRequest(identifier="@")),
        ("user-identifier=anna@", DiscoveryRequest(identifier="anna@", local_part="anna")),
        ("user-identifier=@corp.example", DiscoveryRequest(identifier="@corp.example", domain="corp.example")),
    ],
)
def test_parts_may_be_missing(query: str, expected: DiscoveryRequest) -> None:
    assert DiscoveryRequest.parse(query) == expected


@pytest.mark.parametrize(
    ("typed", "local_part", "domain"),
    [
        ("a@b@corp.example", "a@b", "corp.example"),
        ("Anna.B@CORP.Example", "Anna.B", "corp.example"),
        ("anna+mdm@corp.example", "anna+mdm", "corp.example"),
        ("anna%2Bmdm@corp.example", "anna+mdm", "corp.example"),
        ("anna;x=1@corp.example", "anna;x=1", "corp.example"),
        ("%C3%BCbung@b%C3%BCro.example", "übung", "büro.example"),
        ("Ã¼bung@corp.example", "übung", "corp.example"),  # unescaped UTF-8, as a WSGI server passes bytes on
        ("übung@corp.example", "\ufffdbung", "corp.example"),  # the same with Latin-1
        ("名@corp.example", "名", "corp.example"),
        ("%ff@corp.example", "\ufffd", "corp.example"),
        ("a%00b%0a@corp.example", "a\ufffdb\ufffd", "corp.example"),
        ("a%@corp.example", "a%", "corp.example"),
        ("\ud800@corp.example", "?", "corp.example"),
    ],
)
def test_identifier_is_split_at_the_last_at(typed: str, local_part: str, domain: str) -> None:
    request = DiscoveryRequest.parse(f"user-identifier={typed}")

    assert (request.local_part, request.domain) == (local_part, domain)


@pytest.mark.parametrize(
    "query",
    [
        f"user-identifier={'a' * 310}@corp.example",
        f"user-identifier=a@{'b' * 254}",
        "x=" + "y" * 4096,
    ],
)
def test_lengths_are_bounded(query: str) -> None:
    with pytest.raises(WireError, match="too long"):
        DiscoveryRequest.parse(query)


@settings(deadline=None)
@given(st.text())
def test_any_identifier_survives_escaping(typed: str) -> None:
    text = typed.encode("utf-8", "replace").decode()
    try:
        request = DiscoveryRequest.parse(urlencode({"user-identifier": text}).replace("+", "%20"))
    except WireError:
        assert len(text) > 64
        return
    assert len(request.identifier) <= len(text)
    assert "\0" not in request.identifier
    if text.isprintable():
        assert request.identifier == text.strip()


@settings(deadline=None)
@given(st.text() | st.text("%=&+@ai\ud800", max_size=40))
def test_any_query_is_read_or_refused(query: str) -> None:
    try:
        request = DiscoveryRequest.parse(query)
    except WireError:
        return
    assert request.identifier.encode() is not None
    assert request.domain == request.domain.lower()


@pytest.mark.parametrize("name", ["AppleTV", "iPad", "iPhone", "Mac", "RealityDevice", "Watch"])
def test_families_are_apples(name: str) -> None:
    family = DiscoveryRequest.parse(f"model-family={name}").model_family

    assert family == name
    assert family is not None
    assert family.can_enroll == (name not in ("AppleTV", "Watch"))


@pytest.mark.parametrize(
    ("product", "family"),
    [
        ("iPhone17,1", ModelFamily.IPHONE),
        ("iPod9,1", ModelFamily.IPHONE),
        ("iPad16,3", ModelFamily.IPAD),
        ("Mac14,2", ModelFamily.MAC),
        ("MacBookPro18,3", ModelFamily.MAC),
        ("Macmini9,1", ModelFamily.MAC),
        ("iMac21,1", ModelFamily.MAC),
        ("VirtualMac2,1", ModelFamily.MAC),
        ("RealityDevice14,1", ModelFamily.REALITY_DEVICE),
        ("AppleTV14,1", ModelFamily.APPLE_TV),
        ("Watch7,1", ModelFamily.WATCH),
        ("AudioAccessory6,1", None),
        ("", None),
    ],
)
def test_family_of_a_product(product: str, family: ModelFamily | None) -> None:
    assert ModelFamily.of_product(product) is family


@pytest.mark.parametrize(("version", "kind"), [(Version.ADDE, "adde"), (Version.BYOD, "byod")])
def test_document_is_the_example(version: Version, kind: str) -> None:
    body = document(version, f"https://mdm.corp.example/account-enroll/{kind}/t-7f3a")

    assert json.loads(body) == json.loads((EXAMPLES / f"discovery-{kind}.json").read_bytes())


@pytest.mark.parametrize("url", ["", "/enroll", "http://mdm.corp.example/", "https:///enroll", "https://"])
def test_base_url_must_be_absolute_https(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        document(Version.ADDE, url)
