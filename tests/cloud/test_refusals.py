"""What a reply that is no answer means, and what is asked again."""

import pytest

from edgecascade.cloud import openai
from edgecascade.cloud.refusals import CUT, PassingError, UnsuitedError, plain, refusal, retry_after, words
from edgecascade.cloud.retry import LONGEST_WAIT, pause
from edgecascade.cloud.specs import CloudSpec
from edgecascade.errors import CloudError

KEY = "sk-secret"
SPEC = CloudSpec("openai", "https://host/v1", "small", KEY)


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        (400, "refused", False),
        (401, "key", False),
        (403, "key", False),
        (404, "refused", False),
        (307, "protocol", False),
        (408, "timeout", True),
        (429, "rate_limit", True),
        (500, "server", True),
        (529, "server", True),
    ],
)
def test_a_status_has_a_code(status: int, code: str, passes: bool) -> None:
    """What the server will not do is final; what it cannot do now may pass."""
    found = refusal(SPEC, status, {}, b"no", openai.MENDS)

    assert (found.code, isinstance(found, PassingError)) == (code, passes)


def test_the_servers_words_are_quoted_with_care() -> None:
    """On one line, at most 300 characters of them, without control characters and without the key."""
    body = f"\x1b[31mIncorrect key\n{KEY} ".encode() + b"x" * 400

    found = str(refusal(SPEC, 401, {}, body, openai.MENDS))

    assert "[31mIncorrect key *** xxx" in found and KEY not in found and "\x1b" not in found and "\n" not in found
    assert len(plain("x" * 400, None)) == CUT


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ('{"error": "plain"}', "plain"),
        ('{"error": {"message": "inner"}}', "inner"),
        ('[{"error": {"message": "listed"}}]', "listed"),
        ('{"message": "outer"}', "outer"),
        ('{"detail": "fast"}', "fast"),
        ("<html>no</html>", "<html>no</html>"),
        ('{"error": null}', '{"error": null}'),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_the_servers_words_are_found(raw: str, wanted: str) -> None:
    """Whatever form an error has, it is quoted."""
    assert words(raw) == wanted


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("Unsupported value: 'temperature' does not support 0 with this model.", "temperature"),
        ("logprobs are not supported with this model", "logprobs"),
        ("Unknown parameter: stream_options", "stream_options"),
        ("max_tokens is too large: 9999", None),
        ("the model does not support images", None),
    ],
)
def test_a_field_that_is_not_known_is_named(said: str, field: str | None) -> None:
    """It can be left out or sent otherwise; any other complaint is final."""
    found = refusal(SPEC, 400, {}, said.encode(), openai.MENDS)

    assert (found.field if isinstance(found, UnsuitedError) else None) == field


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:10 GMT"}, 20.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:10 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_server_says_how_long_to_wait(headers: dict[str, str], wait: float) -> None:
    """Retry-After in seconds or as a date is understood; what is neither is passed over."""
    assert retry_after(headers) == wait


def test_pauses_double_with_full_jitter() -> None:
    """The most that is waited doubles up to eight seconds, and the draw takes a share of it."""
    busy = PassingError("busy", code="server")

    most, half = ([pause(busy, failed, lambda share=share: share) for failed in range(1, 7)] for share in (1.0, 0.5))

    assert most == [0.5, 1, 2, 4, 8, 8] and half == [one / 2 for one in most if one is not None]


def test_the_server_is_never_asked_sooner_than_it_says() -> None:
    """Retry-After is the least; who asks for more than a minute, and what does not pass, is not asked again."""
    waits = [
        pause(PassingError("busy", code="rate_limit", wait=7), 1, lambda: 1.0),
        pause(PassingError("busy", code="rate_limit", wait=LONGEST_WAIT + 1), 1, lambda: 1.0),
        pause(CloudError("no", code="key"), 1, lambda: 1.0),
        pause(ValueError("a bug"), 1, lambda: 1.0),
    ]

    assert waits == [7, None, None, None]


@pytest.mark.parametrize(
    ("base_url", "name", "wanted"),
    [
        ("https://api.groq.com/openai/v1", "groq:m", "GROQ_API_KEY"),
        ("https://api.groq.com/openai/v1", "api.groq.com#m", "GROQ_API_KEY"),
        ("https://host/v1", "openai:m", "OPENAI_API_KEY"),
        ("https://host/v1", "host#m", "OPENAI_API_KEY"),
    ],
)
def test_a_refused_key_is_called_by_its_own_name(base_url: str, name: str, wanted: str) -> None:
    """Only the provider that was asked is named."""
    found = str(refusal(CloudSpec("openai", base_url, "m", "key", name), 401, {}, b"", openai.MENDS))

    assert f"check {wanted} and" in found and found.count("_API_KEY") == 1
