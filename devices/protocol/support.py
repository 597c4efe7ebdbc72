"""What Apple's schema says of a command, or of a part of one: which platforms know it, since when, and for whom."""

from dataclasses import dataclass
from enum import Enum, Flag, IntFlag, auto
from typing import Final, Protocol

from devices.protocol.sentence import Sentence, gettext_noop, sentence
from devices.protocol.target import Kind, Platform, Target, version_of


class Reach(Enum):
    """The enrollments that a platform accepts something from."""

    ANY = auto()  # user enrollments too
    DEVICE = auto()  # device enrollments
    SUPERVISED = auto()
    AUTOMATED = auto()  # automated device enrollment only
    SHARED_IPAD = auto()


class Channels(Flag):
    """Of a Mac; elsewhere there is only the device channel."""

    DEVICE = auto()
    USER = auto()


class Right(IntFlag):
    """AccessRights of com.apple.mdm."""

    INSPECT = 1
    INSTALL = 2
    LOCK = 4  # and remove the passcode
    ERASE = 8
    DEVICE_INFORMATION = 16
    NETWORK_INFORMATION = 32
    INSPECT_PROVISIONING = 64
    INSTALL_PROVISIONING = 128
    APPLICATIONS = 256
    RESTRICTIONS = 512
    SECURITY = 1024
    SETTINGS = 2048
    APP_MANAGEMENT = 4096


ANY, DEVICE, SUPERVISED, AUTOMATED, SHARED_IPAD = Reach
USER: Final = Channels.USER
NOT_ON_OWN: Final = gettext_noop("{subject} is not allowed on a device that is enrolled as a user's own.")
NOT_SUPERVISED: Final = gettext_noop(
    "{subject} needs a supervised device; account-driven enrollment supervises Macs only."
)
NOT_TO_USERS: Final = gettext_noop("{subject} goes to the Mac, not to one of its users.")
EITHER: Final = Channels.DEVICE | Channels.USER


class OnChannel(Protocol):
    """Of a device, or of a user of a Mac."""

    @property
    def platform(self) -> Platform: ...

    @property
    def user_channel(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class At:
    """How one platform knows it."""

    since: str = ""  # the version that introduced it; empty: as long as what it belongs to
    reach: Reach = ANY
    right: Right | None = None
    on_user_channel: bool = True  # of what belongs to a command that may go to a user of a Mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of a command.  None: the platform does not know it."""

    ios: At | None = None
    macos: At | None = None
    visionos: At | None = None
    channels: Channels = Channels.DEVICE

    def on(self, platform: Platform) -> At | None:
        return {Platform.IOS: self.ios, Platform.MACOS: self.macos, Platform.VISIONOS: self.visionos}[platform]


_FIRST: Final = {  # at the beginning of a sentence
    "the key {path} of {command}": gettext_noop("The key {path} of {command}"),
    "the Item {name} of {command}": gettext_noop("The Item {name} of {command}"),
    "the query {name}": gettext_noop("The query {name}"),
}


def objection(subject: str, at: At | None, target: Target) -> Sentence | None:
    """Why `subject` cannot go there, as a sentence; its access right is another question."""
    if at is None:
        return unknown(subject, target.platform)
    return (
        _unreachable(subject, at.reach, target) or _too_new(subject, at.since, target) or _no_user(subject, at, target)
    )


def unknown(subject: str, platform: Platform) -> Sentence:
    return sentence(gettext_noop("{platform} does not know {subject}."), platform=platform, subject=subject)


def lacks_right(subject: str, right: Right | None, target: Target) -> Sentence | None:
    """User enrollments ignore access rights."""
    if right is None or target.access_rights is None or target.kind is Kind.AAUE or right & target.access_rights:
        return None
    told = gettext_noop("{subject} needs the access right {right}, which the enrollment profile did not ask for.")
    return sentence(told, subject=_first(subject), right=right.value)


def wrong_channel(subject: str, channels: Channels, at: OnChannel) -> Sentence | None:
    if at.platform is not Platform.MACOS:
        told = gettext_noop("Only a Mac has users to send {subject} to.") if at.user_channel else None
    elif at.user_channel:
        told = None if Channels.USER in channels else NOT_TO_USERS
    else:
        told = (
            None
            if Channels.DEVICE in channels
            else gettext_noop("{subject} goes to a user of the Mac, not to the Mac itself.")
        )
    return sentence(told, subject=subject) if told else None


def _unreachable(subject: str, reach: Reach, target: Target) -> Sentence | None:
    told = _why_unreachable(reach, target)
    return sentence(told, subject=_first(subject)) if told else None


def _why_unreachable(reach: Reach, target: Target) -> str | None:
    match reach:
        case Reach.SHARED_IPAD:
            return gettext_noop("{subject} is for a Shared iPad, which account-driven enrollment does not make.")
        case Reach.AUTOMATED:
            return gettext_noop("{subject} needs Automated Device Enrollment.")
        case Reach.DEVICE | Reach.SUPERVISED if target.kind is Kind.AAUE:
            return NOT_ON_OWN
        case Reach.SUPERVISED if not target.is_supervised:
            if target.platform is Platform.MACOS:
                return gettext_noop("{subject} needs a supervised device, and this Mac says that it is not.")
            return NOT_SUPERVISED
    return None


def _too_new(subject: str, since: str, target: Target) -> Sentence | None:
    introduced, has = version_of(since), target.os_version
    if introduced is None or has is None or introduced <= has:
        return None
    told = gettext_noop("{subject} is new in {platform} {since}, and this device has {version}.")
    version = ".".join(map(str, has))
    return sentence(told, subject=_first(subject), platform=target.platform, since=since, version=version)


def _no_user(subject: str, at: At, target: Target) -> Sentence | None:
    if target.user_channel and not at.on_user_channel:
        return sentence(NOT_TO_USERS, subject=_first(subject))
    return None


def _first(subject: str) -> str:
    """A name of Apple's stays as it is."""
    return sentence(_FIRST[subject.pattern], **subject.values) if isinstance(subject, Sentence) else subject
