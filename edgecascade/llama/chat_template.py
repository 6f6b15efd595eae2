"""Messages to text, by the Jinja template that the model file carries.

llama.cpp's own C renderer knows only a list of famous templates and is not Jinja; models outside that list get a wrong
prompt. So the template is rendered here, in a sandbox, with what Hugging Face's tokenizers offer it: trimmed blocks,
loop controls, ``raise_exception``, ``tojson``. Different from there: no ``strftime_now``, so that a prompt does not
change with the date (templates that use it carry a fixed date for this case).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edgecascade.errors import ChatTemplateError
from edgecascade.records import Message

CHATML = """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

LLAMA3 = """{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}"""

GEMMA = """{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}\
{% endif %}<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}
{{ m.content | trim }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""

PHI3 = """{% for m in messages %}<|{{ m.role }}|>
{{ m.content }}<|end|>
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}"""

PLAIN = """{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}

{% elif m.role == 'user' %}Question: {{ m.content }}
{% else %}Answer: {{ m.content }}

{% endif %}{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"""

FAMILIES = {"chatml": CHATML, "llama3": LLAMA3, "gemma": GEMMA, "phi3": PHI3, "plain": PLAIN}
"""Formats by name, for models without a template of their own."""

FAULTS = (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What a stranger's template may raise."""

MARKERS = {"<|im_start|>": "chatml", "<|start_header_id|>": "llama3", "<start_of_turn>": "gemma", "<|end|>": "phi3"}
"""The control token by which a vocabulary shows the format that its model was trained on."""


class ChatTemplate:
    r"""A template, compiled once.

    >>> ChatTemplate(CHATML).render([Message("user", "Hi")])
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
    """

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        self.source = source
        self._specials = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise ChatTemplateError(
                f"the model's chat template is not valid Jinja: {error}; "
                f"choose a known format with --template ({', '.join(FAMILIES)})"
            ) from error

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """Return the prompt; a template without a system role gets it in front of the first user message."""
        try:
            return self._render(messages, add_generation_prompt)
        except FAULTS as error:
            folded = _fold_system(messages)
            if len(folded) == len(messages):
                raise _unrenderable(error) from error
        try:
            return self._render(folded, add_generation_prompt)
        except FAULTS as error:
            raise _unrenderable(error) from error

    def _render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        plain = [{"role": message.role, "content": message.content} for message in messages]
        return self._template.render(messages=plain, add_generation_prompt=add_generation_prompt, **self._specials)


def template_of(source: str | None, *, has_token: Callable[[str], bool], bos: str, eos: str) -> ChatTemplate:
    """Return the template for a source: Jinja text, a family's name, or None for what the vocabulary shows."""
    if source is None:
        source = next((family for marker, family in MARKERS.items() if has_token(marker)), None)
    if source is None:
        raise ChatTemplateError(
            "the model has no chat template, and its vocabulary shows no known chat format: it was probably not "
            "trained to answer questions; "
            f"use an instruct model, or choose a format with --template ({', '.join(FAMILIES)})"
        )
    return ChatTemplate(FAMILIES.get(source, source), bos=bos, eos=eos)


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    if len(messages) < 2 or messages[0].role != "system":
        return list(messages)
    first, second, *rest = messages
    return [Message(second.role, f"{first.content}\n\n{second.content}"), *rest]


def _unrenderable(error: Exception) -> ChatTemplateError:
    return ChatTemplateError(
        f"the chat template cannot be rendered: {type(error).__name__}: {error}; "
        f"change the messages' roles, or choose another format with --template ({', '.join(FAMILIES)})"
    )


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _GenerationBlock]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment


class _GenerationBlock(jinja2.ext.Extension):
    """``{% generation %}`` marks what a trainer learns from; when rendering it is only its contents."""

    tags = {"generation"}  # noqa: RUF012 - the name and type that jinja2 wants

    def parse(self, parser: jinja2.parser.Parser) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
