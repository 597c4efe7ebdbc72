from tests.providers.pretender import pretender

__all__ = ["pretender"]
