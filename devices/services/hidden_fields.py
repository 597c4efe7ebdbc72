"""What is hidden from whoever searches cannot be searched for: guesses would be answered all the same."""

from collections.abc import Iterator
from typing import Final

from devices.search.errors import HIDDEN_FIELD, HIDDEN_WORD, SearchError
from devices.search.tree import All, AnyOf, Node, Not, Test, Word
from epmm import masking

# By the key of the field that is searched for: which of `masking.FIELDS` it is.
PERSONAL: Final = {
    "common.SerialNumber": "serial",
    "common.imei": "imei",
    "common.imsi": "imsi",
    "common.ip_address": "ip",
    "common.current_phone_number": "phone",
    "ios.MEID": "meid",
    "ios.iPhone ICCID": "iccid",
    "ios.managed_apple_id": "email",
    "ios.DeviceName": "device_name",
    "user.user_id": "user_id",
    "user.display_name": "name",
    "user.email_address": "email",
    "user.first_name": "name",
    "user.last_name": "name",
    "user.sam_account_name": "user_id",
    "user.upn": "user_id",
    "user.dn": "name",
}
OF_DIRECTORIES: Final = "user.ldap."
GROUPS: Final = "user.ldap.groups.name"
# A lone word is looked for in all of these.
IN_A_WORD: Final = frozenset({"user_id", "name", "email", "phone", "device_name", "serial", "imei"})


def refuse(node: Node) -> None:
    """Raises SearchError where the tree asks for what is hidden."""
    if not masking.hidden():
        return
    for leaf in _leaves(node):
        if isinstance(leaf, Word) and words_tell():
            raise SearchError(HIDDEN_WORD, 1)
        if isinstance(leaf, Test) and is_hidden(leaf.field):
            raise SearchError(HIDDEN_FIELD, leaf.at, {"field": leaf.field})


def is_hidden(key: str) -> bool:
    if key.startswith(OF_DIRECTORIES) and key != GROUPS:
        return bool(masking.hidden())  # whatever it is: a name, an address, a telephone number
    return PERSONAL.get(key) in masking.hidden()


def words_tell() -> bool:
    """Whether a lone word could guess at something hidden."""
    return bool(IN_A_WORD & masking.hidden())


def _leaves(node: Node) -> Iterator[Word | Test]:
    match node:
        case Word() | Test():
            yield node
        case Not(part=part):
            yield from _leaves(part)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _leaves(part)
