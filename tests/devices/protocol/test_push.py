import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from devices.protocol import push
from devices.protocol.push import Outcome, Push, Verdict, read_answer

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
APNS_ID = "0F1E2D3C-0000-4000-8000-000000000002"
TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"


def a_push(**changes: object) -> Push:
    values: dict[str, object] = {
        "token": bytes(range(32)),
        "magic": "D1E2F3A4-0000-4000-8000-000000000001",
        "topic": TOPIC,
        "expiration": 1795651200,
        "apns_id": UUID(APNS_ID),
    }
    return Push(**(values | changes))  # type: ignore[arg-type]  # each test changes one of them


def answer(status: int, said: object) -> Outcome:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_answer(status=status, body=body, apns_id=APNS_ID)


def test_the_request_is_the_one_that_apple_describes() -> None:
    assert push.headers(a_push(), b"api.push.apple.com") == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"api.push.apple.com"),
        (b":path", b"/3/device/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        (b"apns-push-type", b"mdm"),
        (b"apns-topic", TOPIC.encode()),
        (b"apns-priority", b"10"),
        (b"apns-expiration", b"1795651200"),
        (b"content-type", b"application/json"),
        (b"apns-id", APNS_ID.lower().encode()),
    ]
    assert push.body(a_push()) == b'{"mdm":"D1E2F3A4-0000-4000-8000-000000000001"}'


@pytest.mark.parametrize("magic", ['a"b\\c', "\N{SNOWMAN}", "\ud800", "\x00"])
def test_any_magic_of_a_device_stays_one_json_text(magic: str) -> None:
    assert json.loads(push.body(a_push(magic=magic))) == {"mdm": magic}


def test_a_push_is_kept_for_a_week_unless_told_otherwise() -> None:
    assert push.expiration(NOW) == int(datetime(2026, 12, 2, 12, 0, tzinfo=UTC).timestamp())
    assert push.expiration(NOW, timedelta(hours=1)) - int(NOW.timestamp()) == 3600


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"token": b""}, Verdict.BAD_TOKEN, "BadDeviceToken"),
        ({"token": bytes(257)}, Verdict.BAD_TOKEN, "BadDeviceToken"),
        ({"topic": ""}, Verdict.WRONG_TOPIC, "BadTopic"),
        ({"topic": "com.apple.mgmt\r\nx: y"}, Verdict.WRONG_TOPIC, "BadTopic"),
        ({"magic": "x" * 4087}, Verdict.OUR_FAULT, "PayloadTooLarge"),
    ],
)
def test_what_would_spoil_the_connection_for_others_is_not_sent(
    changes: dict[str, object], kind: Verdict, reason: str
) -> None:
    assert push.refusal(a_push(**changes)) == Outcome(kind=kind, status=0, reason=reason, apns_id=APNS_ID.lower())


@pytest.mark.parametrize("changes", [{}, {"token": bytes(1)}, {"token": bytes(256)}, {"magic": "x" * 4086}])
def test_what_is_within_the_limits_is_sent(changes: dict[str, object]) -> None:
    assert push.refusal(a_push(**changes)) is None


TABLE = {
    Verdict.UNREGISTERED: "410 Unregistered, 410 ExpiredToken",
    Verdict.BAD_TOKEN: "400 BadDeviceToken",
    Verdict.WRONG_TOPIC: "400 DeviceTokenNotForTopic, 400 BadTopic, 400 MissingTopic, 400 TopicDisallowed",
    Verdict.OUR_FAULT: (
        "400 InvalidPushType, 400 BadPriority, 400 BadExpirationDate, 400 BadMessageId, 400 BadCollapseId, "
        "400 DuplicateHeaders, 400 MissingDeviceToken, 400 PayloadEmpty, 400 IdleTimeout, 403 ExpiredProviderToken, "
        "403 InvalidProviderToken, 403 UnrelatedKeyIdInToken, 404 BadPath, 405 MethodNotAllowed, 413 PayloadTooLarge, "
        "429 TooManyProviderTokenUpdates"
    ),
    Verdict.BAD_CERTIFICATE: (
        "403 BadCertificate, 403 BadCertificateEnvironment, 403 Forbidden, 403 MissingProviderToken"
    ),
    Verdict.TOO_MANY: "429 TooManyRequests",
    Verdict.TRY_LATER: "500 InternalServerError, 503 ServiceUnavailable, 503 Shutdown",
}
ROWS = [(int(row.split()[0]), row.split()[1], kind) for kind, rows in TABLE.items() for row in rows.split(", ")]


@pytest.mark.parametrize(("status", "reason", "kind"), ROWS, ids=[row[1] for row in ROWS])
def test_every_reason_of_apple_has_its_meaning(status: int, reason: str, kind: Verdict) -> None:
    assert answer(status, {"reason": reason}) == Outcome(kind=kind, status=status, reason=reason, apns_id=APNS_ID)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Verdict.ACCEPTED),
        (400, Verdict.OUR_FAULT),
        (403, Verdict.BAD_CERTIFICATE),
        (410, Verdict.UNREGISTERED),
        (418, Verdict.OUR_FAULT),
        (429, Verdict.TOO_MANY),
        (500, Verdict.TRY_LATER),
        (599, Verdict.TRY_LATER),
        (302, Verdict.TRY_LATER),
        (204, Verdict.TRY_LATER),
        (0, Verdict.TRY_LATER),
    ],
)
def test_an_unknown_reason_means_what_its_status_does(status: int, kind: Verdict) -> None:
    assert answer(status, {"reason": "NewlyInvented"}).kind is kind
    assert answer(status, b"").kind is kind


def test_a_reason_counts_only_with_its_own_status() -> None:
    """Half an answer must not lose a device its token."""
    assert answer(500, {"reason": "Unregistered"}).kind is Verdict.TRY_LATER
    assert answer(400, {"reason": "BadCertificate"}).kind is Verdict.OUR_FAULT


def test_an_unregistered_token_comes_with_its_date() -> None:
    told = answer(410, {"reason": "Unregistered", "timestamp": 1795608000500})

    assert told.timestamp == NOW + timedelta(seconds=0.5)


@pytest.mark.parametrize("timestamp", [None, "1795608000000", True, 1.5, [], 10**30, -(10**30), 10**400])
def test_a_date_that_is_none_is_left_out(timestamp: object) -> None:
    assert answer(410, {"reason": "Unregistered", "timestamp": timestamp}).timestamp is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b"[]", b"null", b"[" * 4000),
        *(b'{"reason":' + b"[" * 2000, b'{"timestamp":' + b"9" * 4081, b'{"reason":"' + b"x" * 4096 + b'"}'),
    ],
)
def test_a_body_that_cannot_be_read_leaves_the_status(body: bytes) -> None:
    assert answer(410, body) == Outcome(kind=Verdict.UNREGISTERED, status=410, reason="", apns_id=APNS_ID)


@pytest.mark.parametrize("reason", [7, None, ["Unregistered"], "", "two words", "line\nbreak", "x" * 65, "\N{SNOWMAN}"])
def test_a_reason_that_is_no_word_is_not_repeated(reason: object) -> None:
    assert answer(410, {"reason": reason}).reason == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"reason":"BadCertificate"}', (Verdict.BAD_CERTIFICATE, "BadCertificate")),
        (b'{"reason":"Shutdown"}', (Verdict.TRY_LATER, "Shutdown")),
        (b"", (Verdict.TRY_LATER, "")),
    ],
)
def test_a_goaway_says_whether_another_connection_helps(data: bytes, expected: tuple[Verdict, str]) -> None:
    assert push.read_goaway(data) == expected


def test_secrets_do_not_show() -> None:
    shown = repr(a_push())

    assert "D1E2F3A4" not in shown
    assert "x01" not in shown
    assert TOPIC in shown
