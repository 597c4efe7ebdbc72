"""The refusals of RFC 8894 section 3.2.1.4.4, one class each."""

from enum import StrEnum
from typing import ClassVar

from epmm.wire.errors import WireError


class FailInfo(StrEnum):
    BAD_ALG = "0"
    BAD_MESSAGE_CHECK = "1"
    BAD_REQUEST = "2"
    BAD_TIME = "3"
    BAD_CERT_ID = "4"


class ScepFailure(WireError):
    """A refusal the client is told about: `fail_info` travels in a reply whose HTTP status is 200."""

    fail_info: ClassVar[FailInfo]


class BadAlg(ScepFailure):
    """A cipher, digest or key that we do not work with."""

    fail_info = FailInfo.BAD_ALG


class BadMessageCheck(ScepFailure):
    """A signature does not hold, or the envelope cannot be opened."""

    fail_info = FailInfo.BAD_MESSAGE_CHECK


class BadRequest(ScepFailure):
    """A message that we do not serve."""

    fail_info = FailInfo.BAD_REQUEST


class BadCertId(ScepFailure):
    """The envelope is for another certificate than ours."""

    fail_info = FailInfo.BAD_CERT_ID
