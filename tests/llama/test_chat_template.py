"""Messages to text, by templates as models carry them."""

import pytest

from edgecascade.errors import ChatTemplateError
from edgecascade.llama.chat_template import CHATML, FAMILIES, GEMMA, ChatTemplate, template_of
from edgecascade.records import Message

TALK = [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Why?")]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_renders_a_conversation_in_order(name: str) -> None:
    """Each known format carries every message once, in order, and ends where the assistant begins."""
    text = ChatTemplate(FAMILIES[name], bos="<s>").render(TALK)

    places = [text.index(message.content) for message in TALK]
    assert places == sorted(places)
    assert ChatTemplate(FAMILIES[name], bos="<s>").render(TALK, add_generation_prompt=False) in text


def test_a_template_without_a_system_role_gets_it_in_the_first_turn() -> None:
    """The system text is put in front of the user's, as Gemma's makers advise."""
    text = ChatTemplate(GEMMA, bos="<bos>").render(TALK)

    assert text.startswith("<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>")


def test_a_template_may_refuse_the_messages() -> None:
    """raise_exception in a template becomes our error with its words."""
    with pytest.raises(ChatTemplateError, match="roles must alternate"):
        ChatTemplate("{{ raise_exception('roles must alternate') }}").render(TALK)


@pytest.mark.parametrize(
    "source", ["{% for %}", "{{ messages[0].content", "{% unknown %}"], ids=["loop", "brace", "tag"]
)
def test_broken_jinja_is_told_with_a_way_out(source: str) -> None:
    """A template that is not Jinja is refused when the model is opened, naming the formats to choose from."""
    with pytest.raises(ChatTemplateError, match="--template"):
        ChatTemplate(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_model_file_cannot_reach_out_of_its_template(source: str) -> None:
    """A template comes from a stranger's file: what leaves the sandbox or changes its arguments is refused."""
    with pytest.raises(ChatTemplateError):
        ChatTemplate(source).render(TALK)


def test_the_vocabulary_shows_the_format_of_a_model_without_template() -> None:
    """A control token that belongs to one format chooses it; none at all is an error that says what to do."""
    known = template_of(None, has_token=lambda name: name == "<|im_start|>", bos="", eos="")

    assert known.source == CHATML
    with pytest.raises(ChatTemplateError, match=r"no chat template.*--template"):
        template_of(None, has_token=lambda name: False, bos="", eos="")


def test_what_hugging_face_offers_templates_works() -> None:
    """Loop controls, tojson, trimmed blocks and generation blocks behave as in transformers."""
    source = """{% for m in messages %}
    {% if m.role == 'system' %}{% continue %}{% endif %}
{% generation %}{{ m | tojson }}{% endgeneration %}
{% if loop.index == 3 %}{% break %}{% endif %}
{% endfor %}"""

    text = ChatTemplate(source).render([*TALK[:2], Message("assistant", "é<")])

    assert text.split("{")[1:] == ['"role": "user", "content": "Hi"}', '"role": "assistant", "content": "é<"}']


def test_a_prompt_does_not_change_with_the_date() -> None:
    """Templates that ask for the date get none, and fall back to the one they carry."""
    source = "{% if strftime_now is defined %}today{% else %}26 Jul 2024{% endif %}"

    assert ChatTemplate(source).render(TALK) == "26 Jul 2024"
