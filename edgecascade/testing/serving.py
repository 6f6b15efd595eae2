"""What the servers on loopback share."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """An HTTP server of real sockets that bears clients which go away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that goes away: it is part of the tests."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
