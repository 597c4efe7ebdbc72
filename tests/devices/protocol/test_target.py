import pytest

from devices.protocol.target import Version, version_of


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("18.2.1", (18, 2, 1)),
        ("18.2.0", (18, 2)),
        ("18.0", (18,)),
        ("0", (0,)),
        ("10.15.7.1", (10, 15, 7, 1)),
        ("", None),
        ("18.", None),
        ("18.2 (a)", None),
        ("-18", None),
        ("1.2.3.4.5", None),
        ("123456", None),
        ("\u0661\u0668", None),
    ],
)
def test_versions_are_read_or_not_known(text: str, version: Version | None) -> None:
    assert version_of(text) == version
