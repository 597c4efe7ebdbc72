"""What an enrollment request says, and who vouches for it: the rows of the table in protocol file 2."""

import plistlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.protocol.discovery import ModelFamily
from enrollment.protocol.machine_info import MAX_BYTES, MachineInfo, Reading, SignatureState, read
from epmm.wire import cms
from epmm.wire.errors import WireError
from tests import pki, recorded
from tests.mutations import mutated

CHAIN = pki.device_chain()
EXTRA = [CHAIN.device_ca.certificate]
KEYS = {"LANGUAGE": "en-US", "PRODUCT": "iPhone17,1", "VERSION": "22C150", "OS_VERSION": "18.2"}
PLIST = plistlib.dumps(KEYS)
INFO = MachineInfo(language="en-US", product="iPhone17,1", build="22C150", os_version="18.2")
EXAMPLES = sorted((Path(__file__).parents[2] / "vectors" / "examples").glob("machineinfo-*.plist"))


def signed(content: bytes = PLIST, **options: Any) -> bytes:
    return pki.sign(content, CHAIN.leaf, chain=CHAIN.included, **options)


def test_request_of_a_real_iphone() -> None:
    reading = read(recorded.ENROLLMENT_REQUEST, [])

    assert reading.signature is SignatureState.TRUSTED
    assert reading.info == MachineInfo(language="ja-JP", product="iPhone12,1", build="19H12")
    assert reading.info.model_family is ModelFamily.IPHONE


def test_no_byte_of_the_content_can_be_changed() -> None:
    content = cms.parse_signed(recorded.ENROLLMENT_REQUEST).content
    assert content is not None
    start = recorded.ENROLLMENT_REQUEST.index(content)

    for place in range(start, start + len(content)):
        body = bytearray(recorded.ENROLLMENT_REQUEST)
        body[place] ^= 1 << place % 8
        assert read(bytes(body), []).signature is SignatureState.MISMATCH


@pytest.mark.parametrize("key", [pki.rsa_key(1024, number=4), pki.ec_key(1)])
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("attributes", [True, False])
def test_signed_by_a_device_of_the_laboratory(key: pki.Key, digest: str, attributes: bool) -> None:  # noqa: FBT001 -- a parameter of pytest
    leaf = pki.device_chain(key).leaf
    body = pki.sign(PLIST, leaf, chain=CHAIN.included, digest=digest, attributes=attributes)

    assert read(body, EXTRA) == Reading(info=INFO, signature=SignatureState.TRUSTED)
    assert read(body, []) == Reading(info=INFO, signature=SignatureState.UNKNOWN_CA)


def test_issuer_that_is_no_ca_is_unknown() -> None:
    not_ca = pki.issue("Lab", key=pki.ec_key(2))
    body = pki.sign(PLIST, pki.issue("device", issuer=not_ca), chain=[not_ca])

    assert read(body, [not_ca.certificate]).signature is SignatureState.UNKNOWN_CA


def test_signed_by_nobody() -> None:
    assert read(PLIST, EXTRA) == Reading(info=INFO, signature=SignatureState.UNSIGNED)
    binary = plistlib.dumps(KEYS, fmt=plistlib.FMT_BINARY)
    assert read(binary, EXTRA) == Reading(info=INFO, signature=SignatureState.UNSIGNED)


def without_signer_certificate() -> bytes:
    return pki.signed_data(PLIST, [pki.signer_info(PLIST, CHAIN.leaf)], CHAIN.included)


def with_two_signers() -> bytes:
    return pki.signed_data(PLIST, [pki.signer_info(PLIST, CHAIN.leaf)] * 2, [CHAIN.leaf])


def with_md5() -> bytes:
    return signed(digest="md5")


def without_signer() -> bytes:
    return pki.signed_data(PLIST, [], [CHAIN.leaf])


def altered() -> bytes:
    return signed().replace(b"22C150", b"22C151")


@pytest.mark.parametrize("make", [without_signer_certificate, with_two_signers, with_md5, without_signer, altered])
def test_signature_that_vouches_for_nothing(make: Any) -> None:
    reading = read(make(), EXTRA)

    assert reading.signature is SignatureState.MISMATCH
    assert reading.info is not None


@pytest.mark.parametrize(
    "content", [b"<?xml", PLIST.replace(b"<dict>", b"<dicT>"), PLIST.replace(b"string", b"data  ")]
)
def test_altered_content_that_says_nothing_any_more_is_still_altered(content: bytes) -> None:
    info = pki.signer_info(PLIST, CHAIN.leaf)

    assert read(pki.signed_data(content, [info], [CHAIN.leaf]), EXTRA) == Reading(
        info=None, signature=SignatureState.MISMATCH
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0",
        b"{}",
        PLIST[:-20],
        signed()[:-1],
        signed() + b"\n",
        recorded.ENROLLMENT_REQUEST[:2000],
        recorded.MDM_SIGNATURE_2,  # detached: signed, but nothing in it
        signed(b"no property list"),
        signed(plistlib.dumps(["a list"])),
        signed(plistlib.dumps({"PRODUCT": 7})),
        CHAIN.leaf.der,
        b"<!DOCTYPE plist [<!ENTITY a 'x'>]><plist><dict><key>PRODUCT</key><string>&a;</string></dict></plist>",
        b"<plist>" + b"<dict><key>a</key>" * 3000,
        b"\x30\x80" * 30_000,
    ],
)
def test_neither_cms_nor_property_list(body: bytes) -> None:
    with pytest.raises(WireError):
        read(body, EXTRA)


def test_size_is_bounded() -> None:
    assert read(PLIST.ljust(MAX_BYTES), []).info == INFO

    for body in (PLIST.ljust(MAX_BYTES + 1), signed(PLIST.ljust(MAX_BYTES)), b"\x30" * 10_000_000):
        tracemalloc.start()
        with pytest.raises(WireError, match="too large"):
            read(body, [])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50_000


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    info = read(path.read_bytes(), []).info

    assert info is not None
    assert (info.product, info.build) == ("iPhone17,1", "22C150")
    assert bool(info.udid and info.serial and info.imei) == ("device-enrollment" in path.stem)


def test_every_key_finds_its_place() -> None:
    texts = {
        "UDID": "udid",
        "SERIAL": "serial",
        "PRODUCT": "product",
        "VERSION": "build",
        "OS_VERSION": "os_version",
        "SUPPLEMENTAL_BUILD_VERSION": "supplemental_build",
        "SUPPLEMENTAL_OS_VERSION_EXTRA": "supplemental_os_version_extra",
        "IMEI": "imei",
        "MEID": "meid",
        "LANGUAGE": "language",
        "SOFTWARE_UPDATE_DEVICE_ID": "software_update_device_id",
    }
    flags = {
        "MDM_CAN_REQUEST_SOFTWARE_UPDATE": "can_request_software_update",
        "MDM_CAN_REQUEST_PSSO_CONFIG": "can_request_psso_config",
    }
    source = {key: f"value of {key}" for key in texts} | dict.fromkeys(flags, True) | {"PAIRING_TOKEN": b"token"}

    info = MachineInfo.parse(source | {"A_KEY_OF_NEXT_YEAR": [1, 2, 3]})
    assert {key: getattr(info, name) for key, name in (texts | flags).items()} | {
        "PAIRING_TOKEN": info.pairing_token
    } == source
    assert "token" not in repr(info).replace("pairing_token", "")


def test_every_key_is_optional() -> None:
    info = MachineInfo.parse({})

    assert info == MachineInfo()
    assert info.model_family is None
    assert info.os_release == ()


@pytest.mark.parametrize(
    "source",
    [
        {"PRODUCT": 7},
        {"UDID": b"data"},
        {"SERIAL": ["list"]},
        {"OS_VERSION": 18.2},
        {"LANGUAGE": "x" * 256},
        {"VERSION": "22C\x00150"},
        {"MDM_CAN_REQUEST_SOFTWARE_UPDATE": "yes"},
        {"MDM_CAN_REQUEST_PSSO_CONFIG": 1},
        {"PAIRING_TOKEN": "text"},
    ],
)
def test_wrong_types_are_refused(source: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        MachineInfo.parse(source)


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("18.2", (18, 2)),
        ("18.2.1", (18, 2, 1)),
        ("26", (26,)),
        ("18.2 beta", ()),
        ("", ()),
        ("18.²", ()),
        ("18..2", ()),
    ],
)
def test_release_can_be_compared(version: str, release: tuple[int, ...]) -> None:
    assert MachineInfo(os_version=version).os_release == release


@settings(deadline=None)
@given(
    mutated(recorded.ENROLLMENT_REQUEST, signed(), PLIST, plistlib.dumps(KEYS, fmt=plistlib.FMT_BINARY)) | st.binary()
)
def test_only_one_kind_of_error_gets_out(body: bytes) -> None:
    try:
        reading = read(body, EXTRA)
    except WireError:
        return
    assert reading.info is not None or reading.signature is SignatureState.MISMATCH
    if reading.signature is SignatureState.TRUSTED:  # whatever changed, it was not the content
        assert reading.info in (INFO, read(recorded.ENROLLMENT_REQUEST, []).info)
