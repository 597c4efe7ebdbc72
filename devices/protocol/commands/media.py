"""Books."""

from typing import Annotated, ClassVar

from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import number, text
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.support import ANY, DEVICE, USER, At, Facts, Right
from devices.protocol.target import Target


@command
class InstallMedia(Command):
    """https://developer.apple.com/documentation/devicemanagement/install-media-command."""

    facts: ClassVar = Facts(
        ios=At("8.0", ANY, Right.APP_MANAGEMENT), macos=At("10.9", DEVICE, Right.APP_MANAGEMENT), channels=USER
    )
    reads: ClassVar = kept("iTunesStoreID", "MediaURL", "PersistentID", "MediaType", "State", "RejectionReason")

    media_type: Annotated[str, text("MediaType", "Book")]
    itunes_store_id: Annotated[int | None, number("iTunesStoreID")] = None
    media_url: Annotated[str | None, text("MediaURL", macos=None)] = None
    persistent_id: Annotated[str | None, text("PersistentID", macos=None)] = None
    kind: Annotated[str | None, text("Kind", "pdf", "epub", "ibooks", macos=None)] = None
    version: Annotated[str | None, text("Version", macos=None)] = None
    author: Annotated[str | None, text("Author", macos=None)] = None
    title: Annotated[str | None, text("Title", macos=None)] = None

    def objection(self, target: Target) -> str | None:
        del target
        if self.itunes_store_id is None and self.media_url is None:
            return _("InstallMedia needs one of the keys iTunesStoreID and MediaURL.")
        return None


@command
class ManagedMediaList(Command):
    """https://developer.apple.com/documentation/devicemanagement/managed-media-list-command."""

    facts: ClassVar = Facts(ios=At("8.0", ANY, Right.APP_MANAGEMENT))
    reads: ClassVar = kept("Books")


@command
class RemoveMedia(Command):
    """https://developer.apple.com/documentation/devicemanagement/remove-media-command."""

    facts: ClassVar = Facts(ios=At("8.0", ANY, Right.APP_MANAGEMENT))

    media_type: Annotated[str, text("MediaType", "Book")]
    itunes_store_id: Annotated[str | None, text("iTunesStoreID")] = None
    persistent_id: Annotated[str | None, text("PersistentID")] = None

    def objection(self, target: Target) -> str | None:
        del target
        if self.itunes_store_id is None and self.persistent_id is None:
            return _("RemoveMedia needs one of the keys iTunesStoreID and PersistentID.")
        return None
