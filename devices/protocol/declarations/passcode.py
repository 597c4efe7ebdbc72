import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from devices.protocol.declarations.base import (
    InvalidDeclaration,
    Payload,
    TypedDeclaration,
    dictionary,
    flag,
    key,
    part,
    text,
    whole,
)
from devices.protocol.sentence import sentence as _
from devices.protocol.target import Platform

MAC: Final = Platform.MACOS
IN_2022: Final = {Platform.IOS: "16.2", MAC: "13.1"}
LONGEST_REGEX: Final = 2048
LANGUAGE: Final = re.compile(r"default|[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def _regex(name: str, value: Any) -> str:
    if len(text(name, value)) > LONGEST_REGEX:
        raise InvalidDeclaration(_("{name} has at most {n} characters.", name=name, n=LONGEST_REGEX))
    return str(value)


def _by_language(name: str, value: Any) -> dict[str, str]:
    sentences = dictionary(name, value)
    if not all(LANGUAGE.fullmatch(language) for language in sentences):
        raise InvalidDeclaration(_("The keys of {name} are languages such as en-US, or default.", name=name))
    return {language: text(f"{name}.{language}", sentence) for language, sentence in sentences.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRegex(Payload):
    regex: str = key("Regex", _regex, required=True)
    description: dict[str, str] | None = key("Description", _by_language)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasscodeSettings(TypedDeclaration):
    """https://developer.apple.com/documentation/devicemanagement/passcodesettings"""

    type: ClassVar[str] = "com.apple.configuration.passcode.settings"

    require_passcode: bool | None = key("RequirePasscode", flag)
    require_alphanumeric: bool | None = key("RequireAlphanumericPasscode", flag, since=IN_2022)
    require_complex: bool | None = key("RequireComplexPasscode", flag)
    minimum_length: int | None = key("MinimumLength", whole(0, 16))
    minimum_complex_characters: int | None = key("MinimumComplexCharacters", whole(0, 4), since=IN_2022)
    maximum_failed_attempts: int | None = key("MaximumFailedAttempts", whole(2, 11))
    failed_attempts_reset: int | None = key("FailedAttemptsResetInMinutes", whole(), only=MAC, since=IN_2022)
    maximum_grace_period: int | None = key("MaximumGracePeriodInMinutes", whole())
    maximum_inactivity: int | None = key("MaximumInactivityInMinutes", whole(0, 15))
    maximum_age: int | None = key("MaximumPasscodeAgeInDays", whole(0, 730), since=IN_2022)
    reuse_limit: int | None = key("PasscodeReuseLimit", whole(1, 50))
    change_at_next_auth: bool | None = key("ChangeAtNextAuth", flag, only=MAC, since=IN_2022)
    custom_regex: CustomRegex | None = key("CustomRegex", part(CustomRegex), only=MAC, since={MAC: "14.0"})

    def check(self) -> None:
        if self.failed_attempts_reset is not None and self.maximum_failed_attempts is None:
            raise InvalidDeclaration(_("FailedAttemptsResetInMinutes works with MaximumFailedAttempts only."))
