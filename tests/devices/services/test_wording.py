"""What speaks against what somebody wrote down is said in the language of whoever reads it, to its last word."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.utils import translation

from devices.protocol import commands, configuration_profile, declarations
from devices.protocol.commands import AnyRequest, Kind, Platform, Target
from devices.protocol.configuration_profile import ProfileRefused
from devices.protocol.declarations import InvalidDeclaration
from devices.services.wording import worded

IPHONE = Target(platform=Platform.IOS, kind=Kind.ADDE, os_version=(18, 2), access_rights=8191)
PASSCODE = "com.apple.configuration.passcode.settings"


@pytest.mark.parametrize(
    ("name", "payload", "said"),
    [
        ("DeviceLok", {}, "Es gibt keinen Befehl DeviceLok. Meinten Sie DeviceLock?"),
        ("DeviceLock", {"PIN": "123456"}, "iOS kennt den Schlüssel PIN von DeviceLock nicht."),
        ("DeviceLock", {"Mesage": "x"}, "DeviceLock hat keinen Schlüssel Mesage. Meinten Sie Message?"),
        ("DeviceLock", {"Message": 1}, "Der Schlüssel Message von DeviceLock ist: Text."),
        ("RemoveProfile", {}, "RemoveProfile braucht den Schlüssel Identifier (Text)."),
        (
            "Settings",
            {"Settings": [{"Item": "DeviceName", "DeviceName": "x"}]},
            (
                "Das Item DeviceName von Settings braucht ein betreutes Gerät; "
                "durch accountgesteuerte Registrierung werden nur Macs betreut."
            ),
        ),
        ("DeviceInformation", {"Queries": ["HostName"]}, "iOS kennt die Abfrage HostName nicht."),
        ("InstallMedia", {"MediaType": "Film"}, "Der Schlüssel MediaType von InstallMedia ist: Book."),
    ],
)
def test_of_a_command(name: str, payload: Mapping[str, Any], said: str) -> None:
    with translation.override("de"):
        assert worded(commands.why_not(AnyRequest(request_type=name, payload=payload), IPHONE) or "") == said


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"MinimumLenght": 6}, "Es gibt keinen Schlüssel MinimumLenght. Meinten Sie MinimumLength?"),
        ({"MinimumLength": 17}, "MinimumLength ist eine ganze Zahl von 0 bis 16."),
        ({"CustomRegex": {}}, "Der Schlüssel CustomRegex.Regex fehlt."),
    ],
)
def test_of_a_declaration(payload: Mapping[str, Any], said: str) -> None:
    with translation.override("de"), pytest.raises(InvalidDeclaration) as refused:
        declarations.checked(PASSCODE, payload)
    with translation.override("de"):
        assert worded(refused.value.args[0]) == said


def test_of_a_profile() -> None:
    with translation.override("de"), pytest.raises(ProfileRefused) as refused:
        configuration_profile.read(b"<plist><dict><key>PayloadType</key><string>Configuration</string></dict></plist>")
    with translation.override("de"):
        assert worded(refused.value.args[0]) == "Das Profil hat kein PayloadIdentifier."
