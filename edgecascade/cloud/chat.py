"""One question to one OpenAI-compatible model, one text back; no streaming.

``POST {base}/chat/completions`` with messages, max_tokens and temperature. What may pass is asked again: a broken line,
429 and 5xx, after a pause with full jitter or as long as the server says. The key goes to OpenAI or to the origin that
``OPENAI_BASE_URL`` names, and nowhere else; never into a record's text, an error or the log.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Self

import httpx

from edgecascade.errors import DeviceError, InputError
from edgecascade.records import Question

OPENAI = "https://api.openai.com/v1"
TRIES = 5
LONGEST_PAUSE = 120.0
"""Seconds. Who asks for more is asked again by people, later."""

_TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=120.0)  # the whole answer comes at once, when it is written
_CUT = 300
_ASK_AGAIN = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class CloudSpec:
    """Which model is asked, and where; ``key`` is None where none is sent.

    >>> CloudSpec("https://api.openai.com/v1", "small", "secret")
    CloudSpec(base_url='https://api.openai.com/v1', model='small')
    """

    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)


def cloud_spec(spec: str, environment: Mapping[str, str]) -> CloudSpec:
    """Return what ``openai:MODEL`` or ``ADDRESS#MODEL`` names; raise InputError for anything else.

    ``openai:`` stands for ``OPENAI_BASE_URL``, or OpenAI itself. Only a server on this machine is asked without https.

    >>> cloud_spec("http://127.0.0.1:8081/v1#small", {})
    CloudSpec(base_url='http://127.0.0.1:8081/v1', model='small')
    """
    usual = environment.get("OPENAI_BASE_URL", "").strip() or OPENAI
    if spec.startswith("openai:"):
        base, model = usual, spec.removeprefix("openai:")
    else:
        base, _, model = spec.partition("#")
    url = _address(base)
    if not model.strip():
        raise InputError(
            f"a cloud without a model: found {spec!r}, wanted openai:MODEL or ADDRESS#MODEL; name the model"
        )
    origins = [_origin(_address(address)) for address in (usual, OPENAI)]
    key = _key(environment) if _origin(url) in origins else None
    if key is None and _origin(url) == _origin(httpx.URL(OPENAI)):
        raise InputError("OpenAI answers nobody without a key: found no OPENAI_API_KEY, wanted one; set it to yours")
    return CloudSpec(base.strip().rstrip("/"), model.strip(), key)


class ChatCloud:
    """Asks one model over one pool of connections, which it closes; use it in ``with``."""

    def __init__(
        self,
        spec: CloudSpec,
        client: httpx.Client | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``draw`` gives a number from 0 to 1 for the pauses; raises DeviceError where the network settings are bad."""
        self.spec = spec
        self._client, self._sleep, self._draw = client or _client(), sleep, draw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answer(self, question: Question) -> str:
        """Return the answer's text, "" where the model or a filter refuses to give one: asked again, it would again.

        InputError: the server refuses the request, and would again. DeviceError: no answer came, or none that is one.
        """
        for number in range(1, TRIES + 1):
            try:
                response = self._post(question)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
                raise InputError(
                    f"{self.spec.base_url} cannot be asked: {self._plain(str(error))}; wanted an http(s) address"
                ) from None
            except httpx.RequestError as error:
                reason, wanted_pause = self._plain(str(error)) or type(error).__name__, 0.0
            else:
                if response.is_success:
                    return self._text(response)
                reason = f"{response.status_code} {self._message(response)}"
                if response.status_code < 500 and response.status_code not in _ASK_AGAIN:
                    raise InputError(
                        f"{self.spec.base_url} refused model {self.spec.model!r}: it answered {reason}, wanted 200; "
                        "check the address, the model's name and OPENAI_API_KEY"
                    )
                wanted_pause = _retry_after(response)
            if number == TRIES or wanted_pause > LONGEST_PAUSE:
                break
            self._sleep(max(wanted_pause, self._draw() * 2 ** (number - 1)))
        again = f"in {wanted_pause:.0f} s" if wanted_pause else "later"
        raise DeviceError(
            f"{self.spec.base_url} gave no answer: found {reason} at try {number}, wanted a completion; "
            f"check the network and the service's status, and ask again {again}"
        )

    def _post(self, question: Question) -> httpx.Response:
        body = {
            "model": self.spec.model,
            "messages": [{"role": message.role, "content": message.content} for message in question.messages],
            "max_tokens": question.sampling.max_tokens,
            "temperature": question.sampling.temperature,
        }
        headers = {"Authorization": f"Bearer {self.spec.key}"} if self.spec.key else {}
        return self._client.post(f"{self.spec.base_url}/chat/completions", json=body, headers=headers)

    def _text(self, response: httpx.Response) -> str:
        try:
            said = response.json()
        except (ValueError, RecursionError):
            said = None
        match said:
            case {"choices": [{"message": {"content": str(text)}}, *_]}:
                return text.encode("utf-8", "replace").decode()  # half a character, escaped in JSON, cannot be stored
            case (
                {"choices": [{"message": {"content": None}}, *_]}
                | {"choices": [{"message": {"refusal": str()}}, *_]}
                | {"choices": [{"finish_reason": "content_filter"}, *_]}
            ):
                return ""
        raise DeviceError(
            f"{self.spec.base_url} gave no completion: found {self._plain(response.text)!r}, wanted JSON with "
            "choices[0].message.content; check that the address is that of an OpenAI-compatible server, up to /v1"
        )

    def _message(self, response: httpx.Response) -> str:
        """Return the server's own words."""
        try:
            said = response.json()
            for name in ("error", "message", "detail"):
                said = said[name] if isinstance(said, dict) and name in said else said
        except (ValueError, RecursionError):
            said = response.text
        return self._plain(said if isinstance(said, str) else response.text)

    def _plain(self, text: str) -> str:
        """Return it on one line, without the key and without control characters, cut."""
        hidden = text.replace(self.spec.key, "***") if self.spec.key else text
        return "".join(letter for letter in " ".join(hidden.split()) if letter.isprintable())[:_CUT]


def _client() -> httpx.Client:
    try:
        return httpx.Client(timeout=_TIMEOUT)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise DeviceError(
            f"the network settings cannot be used: {error}; wanted a readable SSL_CERT_FILE and an http(s) proxy; "
            "mend the one named"
        ) from error


def _address(base: str) -> httpx.URL:
    try:
        url = httpx.URL(base.strip())
    except httpx.InvalidURL as error:
        raise _no_address(base) from error
    good = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host))
    if not good or not url.host or url.userinfo or url.query or url.fragment:
        raise _no_address(base)
    return url


def _no_address(base: str) -> InputError:
    shown = "one with a name or password in it" if "@" in base else repr(base)
    return InputError(
        f"no address of a cloud: found {shown}, wanted https://HOST/v1, or http:// on this machine alone; "
        "write openai:MODEL or ADDRESS#MODEL"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _key(environment: Mapping[str, str]) -> str | None:
    key = environment.get("OPENAI_API_KEY", "").strip()
    if key and not re.fullmatch("[!-~]+", key):
        raise InputError("OPENAI_API_KEY is no key: found a space or a foreign character in it; copy it again")
    return key or None


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds that the server asks to wait, 0 where it does not; a date is counted from its own clock."""
    given = response.headers.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", given):
        return float(given)
    try:
        until, now = (parsedate_to_datetime(text) for text in (given, response.headers.get("date", "")))
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
