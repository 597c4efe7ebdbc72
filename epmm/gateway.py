"""The gateway process: both doors on one TLS port, on sockets that the supervisor opened and keeps.

So a gateway that died refuses nobody: callers wait in the sockets' backlog until the next one accepts them.
"""

import argparse
import socket
from collections.abc import Sequence
from typing import Final

import uvicorn

from epmm import lifeline
from epmm.listening import BACKLOG

GRACE_SECONDS: Final = 10  # below the supervisor's: an exchange with a device takes milliseconds
KEEP_ALIVE_SECONDS: Final = 30  # a new TLS connection costs more than anything a device asks for


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve both doors; started by manage.py up.")
    parser.add_argument("--fd", type=int, action="append", required=True, help="an open listening socket")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args(arguments)
    lifeline.hold()
    server = uvicorn.Server(configuration(certificate=options.certificate, key=options.key))
    server.run(sockets=[socket.socket(fileno=number) for number in options.fd])


def configuration(*, certificate: str, key: str) -> uvicorn.Config:
    return uvicorn.Config(
        "epmm.asgi:application",
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,  # Django's settings say how to log
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe is EPMM_TRUSTED_PROXIES, which the doors read
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ciphers="ECDHE+AESGCM:ECDHE+CHACHA20",  # App Transport Security asks for forward secrecy
    )


if __name__ == "__main__":
    main()
