"""Refuse to start the app on a port that is taken, instead of moving to another one unasked.

python scripts/check_port.py 8501 localhost
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any


def problem_with(port: str, address: str) -> str | None:
    """Say in one sentence why the app cannot listen there, or return None if it can."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"PORT must be a number from 1 to 65535; got {port!r}. Try: PORT=8502 make run"
    try:
        places = socket.getaddrinfo(address, int(port), type=socket.SOCK_STREAM)
    except OSError:
        return _unknown(address)
    errors = [_try(family, place) for family, _, _, _, place in places]
    if errno.EADDRINUSE in errors:
        free = int(port) + 1 if int(port) < 65535 else 8501
        return (
            f"Port {port} is already in use, perhaps by a lab that is still running: open "
            f"http://localhost:{port} to see, or choose another port: PORT={free} make run"
        )
    if errno.EACCES in errors:
        return f"Port {port} needs more rights than you have; choose one above 1023: PORT=8501 make run"
    # localhost often names an IPv6 address too, on machines without IPv6: one that works is enough
    return None if 0 in errors else _unknown(address)


def _unknown(address: str) -> str:
    return f"ADDRESS={address} is no address of this machine; leave it out to listen on localhost."


def _try(family: int, place: tuple[Any, ...]) -> int:
    """Error number of listening at `place`; 0 when it works."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        return error.errno or -1
    return 0


def main(port: str = "8501", address: str = "localhost") -> int:
    """Print what is wrong with the port, if anything, and say so with the exit status."""
    problem = problem_with(port, address)
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
