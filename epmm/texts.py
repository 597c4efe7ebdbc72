"""What a text may be, wherever it comes from."""


def is_storable(text: str) -> bool:
    """No database keeps a NUL, and JSON can write half a character, which has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
