"""A small XML document as a tree of libxml2; nothing is resolved, loaded or fetched for it."""

from typing import Any, Final, TypeAlias

from lxml import etree

from epmm.wire.errors import WireError, edge

Element: TypeAlias = etree._Element  # noqa: SLF001 -- the name that lxml gives the type of its elements

LARGEST: Final = 65_536  # bytes: sixteen megabytes of empty elements would be a tree of half a gigabyte
_PARSER: Final = etree.XMLParser(
    resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
)


def root_of(raw: bytes) -> Element:
    """The root of what is no larger than `LARGEST`."""
    with edge(WireError, "not a property list"):
        root = etree.fromstring(raw, _PARSER)
    declared: Any = root.getroottree().docinfo.internalDTD  # the stubs lack its methods
    if declared is not None and any(True for _ in declared.iterentities()):
        raise WireError("entities are not allowed in a property list")
    return root
