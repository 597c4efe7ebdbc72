import httpx2
import pytest

from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from tests.enrollment.simulator.laboratory import ORIGIN, Answer, Laboratory, Spoil, document, header


def server(**changes: object) -> Spoil:
    return document(Servers=[{"Version": "mdm-adde", "BaseURL": f"{ORIGIN}/enroll"} | changes])


def test_request_names_person_and_family(laboratory: Laboratory) -> None:
    device = laboratory.device(Family.IPAD)
    device.identifier = "Anna+work@mdm.example.test"

    device.discover()

    (request,) = laboratory.requests_of("discovery")
    assert str(request.url) == (
        f"{ORIGIN}/.well-known/com.apple.remotemanagement?user-identifier=Anna+work@mdm.example.test&model-family=iPad"
    )


def test_domain_is_what_follows_the_last_at_sign_and_answers_on_443(laboratory: Laboratory) -> None:
    device = laboratory.device()
    device.identifier = "a@b@corp.example"

    device.discover()

    assert laboratory.requests_of("discovery")[0].url.netloc == b"corp.example"


@pytest.mark.parametrize("identifier", ["anna", "@corp.example", "anna@", "anna@localhost", "anna@-x.test", "a@b..c"])
def test_no_request_for_what_is_no_full_domain(laboratory: Laboratory, identifier: str) -> None:
    device = laboratory.device()
    device.identifier = identifier

    with pytest.raises(DeviceRefused, match="before it asks"):
        device.discover()

    assert laboratory.requests == []


def test_redirect_is_followed_and_its_query_is_not_completed(laboratory: Laboratory) -> None:
    other = "https://mdm.corp.example/.well-known/com.apple.remotemanagement"
    device = laboratory.device()
    device.identifier = "anna@corp.example"
    laboratory.spoiled["discovery"] = lambda answer: (
        Answer(307, headers={"Location": other}) if not laboratory.requests else answer
    )

    assert device.discover().version == "mdm-adde"
    assert [str(request.url) for request in laboratory.requests_of("discovery")][1] == other


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (header("Content-Type", "text/html"), "text/html"),
        (lambda _: Answer(200, content=b"{}"), "no type"),
        (lambda _: Answer(200, content=b"<html>", headers={"Content-Type": "application/json"}), "not JSON"),
        (lambda _: Answer(200, json=[]), "exactly one"),
        (document(Servers=[]), "exactly one"),
        (document(Servers=[{}, {}]), "exactly one"),
        (document(Servers=[{"version": "mdm-adde"}]), "Version is missing"),
        (server(Version="mdm-ade"), "neither"),
        (server(BaseURL=7), "BaseURL is missing or not a string"),
        (server(BaseURL="http://mdm.example.test/enroll"), "https"),
        (server(BaseURL="/enroll"), "https"),
        (server(BaseURL="https://"), "https"),
        (server(BaseURL="https://mdm.example.test:port/"), "https"),
        (lambda _: Answer(302, headers={"Location": "https://mdm.example.test:port/"}), "no address"),
        (lambda _: Answer(302, headers={"Location": "http://mdm.example.test/"}), "HTTPS only"),
        (lambda _: Answer(302, headers={"Location": "/.well-known/com.apple.remotemanagement"}), "redirects"),
    ],
)
def test_answer_that_leads_nowhere_is_refused(laboratory: Laboratory, spoil: Spoil, reason: str) -> None:
    laboratory.spoiled["discovery"] = spoil

    with pytest.raises(DeviceRefused, match=reason):
        laboratory.device().discover()


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_rejection_shows_its_message(laboratory: Laboratory, kind: str) -> None:
    code, message = "com.apple.well-known.failed", "Ask your administrator."
    bodies = {
        "json": Answer(403, json={"code": code, "message": message}),
        "xml": Answer(
            403,
            content=f"<plist><dict><key>code</key><string>{code}</string>"
            f"<key>message</key><string>{message}</string></dict></plist>".encode(),
            headers={"Content-Type": "application/xml"},
        ),
    }
    laboratory.spoiled["discovery"] = lambda _: bodies[kind]

    with pytest.raises(TurnedAway, match=message) as refusal:
        laboratory.device().discover()

    assert (refusal.value.status, refusal.value.code, refusal.value.sentence) == (403, code, message)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404),
        Answer(403, text='{"code": "com.apple.well-known.failed"}'),
        Answer(403, json={"message": "no code"}),
        Answer(403, content=b"{", headers={"Content-Type": "application/json"}),
    ],
)
def test_failure_without_a_code_says_nothing(laboratory: Laboratory, answer: httpx2.Response) -> None:
    laboratory.spoiled["discovery"] = lambda _: answer

    with pytest.raises(TurnedAway) as refusal:
        laboratory.device().discover()

    assert (refusal.value.code, refusal.value.sentence) == ("", "")
