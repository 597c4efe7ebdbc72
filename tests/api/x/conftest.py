"""Scripts that speak to our own API."""

from typing import Any

import pytest

from tests.api.conftest import Script, basic, make_caller

X = "/api/v2/x/"


@pytest.fixture
def script(transactional_db: None) -> Script:
    """An administrator with all roles."""
    make_caller()
    return Script(basic("script"), base=X)


def problem(response: Any, status: int) -> Any:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == status
    assert status != 422 or told["title"] == "Unprocessable Content"  # RFC 9110, 15.5.21, whatever Python calls it
    assert told["type"].startswith("urn:problem-type:epmm:")
    assert told["instance"] == f"urn:request:{response['X-Request-ID']}"
    return told
