class WireError(Exception):
    """The peer sent something we cannot read.  The message never quotes the input."""
