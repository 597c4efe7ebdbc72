"""The coded 403 as Apple's pages print it."""

import json
from pathlib import Path

import pytest

from epmm.wire import plist
from epmm.wire.refusal import JSON, XML, Refusal, software_update_required, unrecognized_device, well_known_failed

EXAMPLES = Path(__file__).parents[2] / "vectors" / "examples"

SAMPLES = {
    "error-well-known-failed.json": well_known_failed(
        description="no route for this domain",
        message="Your organization has not enabled work enrollment for this account.",
    ),
    "error-unrecognized-device.json": unrecognized_device(
        description="enrollment revoked by the administrator", message="This device is no longer managed."
    ),
    "error-softwareupdate-required.json": software_update_required(
        os_version="18.2", description="minimum OS policy", message="Update this device before enrolling."
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_json_is_the_examples(name: str) -> None:
    body, content_type = SAMPLES[name].render("*/*")

    assert content_type == "application/json"
    assert json.loads(body) == json.loads((EXAMPLES / name).read_bytes())


def test_xml_is_the_example() -> None:
    body, content_type = unrecognized_device(description="enrollment revoked by the administrator").render(XML)

    assert content_type == "application/xml"
    assert body.startswith(b"<?xml")
    assert plist.load_dict(body) == plist.load_dict((EXAMPLES / "error-unrecognized-device.plist").read_bytes())


def test_only_the_code_is_required() -> None:
    assert json.loads(well_known_failed().render()[0]) == {"code": "com.apple.well-known.failed"}


def test_update_may_name_a_build() -> None:
    refusal = software_update_required(os_version="18.2", build_version="22C150")

    assert refusal.details == {"OSVersion": "18.2", "BuildVersion": "22C150"}
    assert plist.load_dict(refusal.render(XML)[0])["details"] == refusal.details


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/json, application/xml", JSON),
        ("application/xml", XML),
        ("text/xml", XML),
        ("Application/XML; q=0.5", XML),
        ("application/xml, */*;q=0.8", XML),
        ("application/xml;q=0.5, application/json", JSON),
        ("application/json;q=0.5, application/xml", XML),
        ("application/xml;q=0.3, application/*", JSON),
        ("application/xml;q=0", JSON),
        ("application/xml;q=nonsense", JSON),
        ("application/xml;q=nan", JSON),
        (";;,,q=", JSON),
    ],
)
def test_form_is_chosen_by_accept(accept: str, content_type: str) -> None:
    assert Refusal(code="com.example").render(accept)[1] == content_type


def test_text_of_any_language() -> None:
    body, _type = well_known_failed(message="Kein Zugang für „Übung“").render()

    assert "für „Übung“".encode() in body
