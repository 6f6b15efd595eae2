"""Which cloud a spec names, and who may have which key."""

import pytest

from edgecascade.cloud.specs import PROVIDERS, CloudSpec, cloud_spec
from edgecascade.errors import ConfigError, KeyMissingError

KEY = "sk-secret"
OPENAI = PROVIDERS["openai"].base_url


@pytest.mark.parametrize(
    ("spec", "environment", "wanted"),
    [
        ("openai:small", {"OPENAI_API_KEY": f" {KEY}\n"}, (OPENAI, "small", KEY)),
        ("openai:org/small:1", {"OPENAI_BASE_URL": "https://host/v1/"}, ("https://host/v1", "org/small:1", None)),
        (
            "openai:small",
            {"OPENAI_BASE_URL": "https://host/v1", "OPENAI_API_KEY": KEY},
            ("https://host/v1", "small", KEY),
        ),
        ("http://127.0.0.1:81/v1#a/b", {"OPENAI_API_KEY": KEY}, ("http://127.0.0.1:81/v1", "a/b", None)),
        ("http://[::1]:81/v1#small", {}, ("http://[::1]:81/v1", "small", None)),
        ("http://localhost/v1/#small", {}, ("http://localhost/v1", "small", None)),
        ("http://127.0.0.1:81/v1", {}, ("http://127.0.0.1:81/v1", "", None)),
        (f"{OPENAI}#small", {"OPENAI_API_KEY": KEY}, (OPENAI, "small", KEY)),
        (
            "https://api.openai.com:443/v1#small",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://host/v1"},
            ("https://api.openai.com:443/v1", "small", KEY),
        ),
        ("https://api.openai.com.evil/v1#m", {"OPENAI_API_KEY": KEY}, ("https://api.openai.com.evil/v1", "m", None)),
        (
            "http://127.0.0.1:82/v1#m",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:81/v1"},
            ("http://127.0.0.1:82/v1", "m", None),
        ),
        (
            "http://127.0.0.1:81/other#m",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:81/v1"},
            ("http://127.0.0.1:81/other", "m", KEY),
        ),
        ("anthropic:m", {"ANTHROPIC_API_KEY": KEY}, ("https://api.anthropic.com", "m", KEY)),
        ("anthropic:m", {"ANTHROPIC_BASE_URL": "https://host/a/v1/"}, ("https://host/a", "m", None)),
        ("gemini:m", {"GOOGLE_API_KEY": KEY}, ("https://generativelanguage.googleapis.com", "m", KEY)),
        ("gemini:m", {"GOOGLE_GEMINI_BASE_URL": "https://host/v1beta"}, ("https://host", "m", None)),
        ("openrouter:a/b:free", {"OPENROUTER_API_KEY": KEY}, ("https://openrouter.ai/api/v1", "a/b:free", KEY)),
        ("groq:m", {"GROQ_API_KEY": KEY, "OPENAI_API_KEY": "other"}, ("https://api.groq.com/openai/v1", "m", KEY)),
        (
            "openai:m",
            {"OPENAI_BASE_URL": "https://openrouter.ai/api/v1", "OPENAI_API_KEY": KEY, "OPENROUTER_API_KEY": "other"},
            ("https://openrouter.ai/api/v1", "m", KEY),
        ),
    ],
)
def test_a_spec_names_a_model_and_who_may_have_the_key(
    spec: str, environment: dict[str, str], wanted: tuple[str, str, str | None]
) -> None:
    """Only a provider and the origin of its BASE_URL get its key; a neighbour port or a longer name does not."""
    found = cloud_spec(spec, environment)

    assert (found.base_url, found.model, found.key) == wanted


@pytest.mark.parametrize(
    ("spec", "environment", "message"),
    [
        ("", {}, "no address"),
        ("small", {}, "found 'small', wanted https://HOST/v1"),
        ("mistral:small", {}, "no address"),
        ("openai:", {"OPENAI_API_KEY": KEY}, "without a model"),
        ("https://host/v1", {}, "without a model"),
        ("https://host/v1# ", {}, "without a model"),
        ("http://127.0.0.1/v1#", {}, "without a model"),
        ("http://host/v1#m", {}, "no address"),
        ("http://127.0.0.1.host/v1#m", {}, "no address"),
        ("ftp://127.0.0.1/v1#m", {}, "no address"),
        ("https:///v1#m", {}, "no address"),
        ("https://[::/v1#m", {}, "no address"),
        ("https://host/v1?a=1#m", {}, "no address"),
        ("http://127.0.0.1:99999/v1#m", {}, "no address"),
        ("http://127.0.0.1:-1/v1#m", {}, "no address"),
        ("http://127.0.0.1:0/v1#m", {}, "no address"),
        ("https://xn--/v1#m", {}, "no address"),
        ("https://exa mple.com/v1#m", {}, "no address"),
        ("https://a..b/v1#m", {}, "no address"),
        ("https://me:sk-secret@host/v1#m", {}, "name or password in it"),
        ("openai:m", {"OPENAI_BASE_URL": "http://host/v1"}, "found 'http://host/v1'"),
        ("openai:m", {}, "no OPENAI_API_KEY"),
        ("anthropic:m", {"OPENAI_API_KEY": KEY}, "no ANTHROPIC_API_KEY"),
        ("openai:m", {"OPENAI_API_KEY": "sk-secret\nsk-secret"}, "OPENAI_API_KEY is no key"),
        ("openai:m", {"OPENAI_API_KEY": "sk-secret…"}, "OPENAI_API_KEY is no key"),
    ],
)
def test_a_bad_spec_is_refused(spec: str, environment: dict[str, str], message: str) -> None:
    """It is refused before anything is sent, and what is secret in it is not repeated."""
    with pytest.raises(ConfigError, match=message) as refusal:
        cloud_spec(spec, environment)

    assert KEY not in str(refusal.value)


@pytest.mark.parametrize(("spec", "variable"), [("openai:m", "OPENAI_API_KEY"), ("groq:m", "GROQ_API_KEY")])
def test_a_missing_key_is_an_error_of_its_own(spec: str, variable: str) -> None:
    """It says which variable would hold it, so that others can go on without the cloud."""
    with pytest.raises(KeyMissingError) as missing:
        cloud_spec(spec, {})

    assert missing.value.variable == variable


@pytest.mark.parametrize("host", ["exa_mple.com", "münchen.de", "host.", "a-b.example"])
def test_an_unusual_host_is_one(host: str) -> None:
    """Underscores, foreign scripts and a last point are allowed."""
    assert cloud_spec(f"https://{host}/v1#m", {}).model == "m"


def test_a_bad_address_of_another_provider_does_no_harm() -> None:
    """Only the provider that is asked must have a good address."""
    found = cloud_spec("http://127.0.0.1:81/v1#m", {"ANTHROPIC_BASE_URL": "nonsense"})

    assert found.key is None


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("openai:small", "openai:small"),
        ("http://127.0.0.1:81/v1#small", "127.0.0.1:81#small"),
        ("http://127.0.0.1:81/v1", "127.0.0.1:81"),
    ],
)
def test_a_cloud_has_a_name(spec: str, name: str) -> None:
    """It is called as it was named, an address by its host."""
    found = cloud_spec(spec, {"OPENAI_API_KEY": KEY})

    assert found.name == name


def test_the_keyring_is_asked_last_and_only_for_the_owner() -> None:
    """A key in the environment wins; a server that has no right to a key makes no one look for it."""
    asked: list[str] = []

    def keys(name: str) -> str | None:
        asked.append(name)
        return KEY if name == "GOOGLE_API_KEY" else None

    found = [
        cloud_spec("gemini:m", {}, keys).key,
        cloud_spec("openai:m", {"OPENAI_API_KEY": "own"}, keys).key,
        cloud_spec("http://127.0.0.1:81/v1#m", {}, keys).key,
    ]

    assert found == [KEY, "own", None] and asked == ["GEMINI_API_KEY", "GOOGLE_API_KEY"]


def test_a_key_is_not_shown() -> None:
    """The record's text leaves it out."""
    assert KEY not in repr(CloudSpec("openai", OPENAI, "m", KEY))
