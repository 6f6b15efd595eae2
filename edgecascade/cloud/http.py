"""Files over HTTP: a byte range of one, and what its server says of it.

Proxies (``HTTPS_PROXY``) and certificates (``SSL_CERT_FILE``) are httpx's own business. The Hugging Face token goes to
the hub's own host and nowhere else: httpx drops it on a redirect to another.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import httpx

from edgecascade.errors import DownloadError

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)  # a machine without internet should learn it soon
_ASK_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class HttpStream:
    """An opened file: where its bytes start, and what its server says of the whole.

    sha256   stated by the Hugging Face hub, which redirects to where the bytes lie
    """

    start: int
    total: int | None
    etag: str | None
    sha256: str | None
    response: httpx.Response

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they come; raise ConnectionResetError where the line breaks."""
        try:
            if self.response.status_code != 416:
                yield from self.response.iter_raw()
        except httpx.TransportError as error:
            raise ConnectionResetError(_why(error)) from error


class HttpFiles:
    """Opens files over one pool of connections; to be closed."""

    def __init__(self, client: httpx.Client, *, token: str | None = None, token_origin: str = "") -> None:
        self._client = client
        self._token, self._token_origin = (token or "").strip(), httpx.URL(token_origin)

    @classmethod
    def open(cls, *, token: str | None, token_origin: str) -> Self:
        """Return one that sends the token to that origin alone; raise DownloadError where settings are unusable."""
        try:
            client = httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers={"Accept-Encoding": "identity"})
            return cls(client, token=token, token_origin=token_origin)
        except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
            raise DownloadError(
                f"the network settings cannot be used: {error}; wanted a readable SSL_CERT_FILE, an http(s) proxy and "
                "an http(s) HF_ENDPOINT; mend the one named"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(self, url: str) -> bytes:
        """Return a small document's bytes."""
        with self.open_bytes(url) as stream:
            return b"".join(stream.chunks())

    @contextmanager
    def open_bytes(self, url: str, *, start: int = 0) -> Iterator[HttpStream]:
        """Open the file at a byte, or at byte 0 where the server cannot.

        ConnectionRefusedError: no server was reached. ConnectionResetError: asking again may help. DownloadError: it
        will not.
        """
        response = self._send(url, start)
        try:
            if response.status_code == 416 and _total(response) != start:
                response.close()
                response = self._send(url, 0)
            self._refuse(url, response)
            yield _stream(url, response, start)
        finally:
            response.close()

    def _send(self, url: str, start: int) -> httpx.Response:
        try:
            return self._client.send(self._request(url, start), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise ConnectionRefusedError(_why(error)) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise DownloadError(f"{url} cannot be asked for: {_why(error)}; wanted a plain http(s) address") from error
        except httpx.HTTPError as error:
            raise ConnectionResetError(_why(error)) from error

    def _request(self, url: str, start: int) -> httpx.Request:
        request = self._client.build_request("GET", url)
        if start:
            request.headers["Range"] = f"bytes={start}-"
        if self._token and _origin(request.url) == _origin(self._token_origin) and _is_private(request.url):
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _refuse(self, url: str, response: httpx.Response) -> None:
        status = response.status_code
        if status in _ASK_AGAIN:
            raise ConnectionResetError(f"the server answered {status}")
        if status in (401, 403):
            raise DownloadError(
                f"{url} is closed to you, or is not there (the server answered {status}); if the model is gated, "
                "accept its terms on its page, then set HF_TOKEN to a token from https://huggingface.co/settings/tokens"
                + (" (the one that is set was not enough)" if self._token else "")
            )
        if status not in (200, 206, 416):
            raise DownloadError(f"{url} cannot be had: the server answered {status}, wanted 200")
        if response.headers.get("content-type", "").startswith("text/html"):
            raise DownloadError(
                f"{url} gave a web page, wanted a file; a login page of this network may stand before it"
            )
        if url.startswith("https:") and response.url.scheme != "https":
            raise DownloadError(f"{url} leads to {response.url}, which is not encrypted; wanted https")


def _stream(url: str, response: httpx.Response, asked: int) -> HttpStream:
    given = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    if response.status_code == 206 and (given is None or int(given[1]) != asked):
        raise DownloadError(f"{url} gave other bytes than asked for: found {given and given[0]!r}, wanted {asked}-")
    answers = (*response.history, response)
    linked = next((tag for answer in answers if (tag := answer.headers.get("x-linked-etag"))), "").strip('"')
    return HttpStream(
        start=asked if response.status_code in (206, 416) else 0,
        total=_total(response),
        etag=response.headers.get("etag"),
        sha256=linked if re.fullmatch("[0-9a-f]{64}", linked) else None,
        response=response,
    )


def _total(response: httpx.Response) -> int | None:
    """Return the bytes of the whole file, where the server says."""
    if response.status_code == 200:
        length = response.headers.get("content-length", "")
        return int(length) if length.isdigit() else None
    total = re.search(r"/(\d+)$", response.headers.get("content-range", ""))
    return int(total[1]) if total else None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_private(url: httpx.URL) -> bool:
    return url.scheme == "https" or url.host in ("127.0.0.1", "localhost", "::1")


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"{text}; where your network has its own certificates, set SSL_CERT_FILE to them"
    return text
