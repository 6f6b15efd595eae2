"""Text to tokens and back, with what people typed kept apart from the template's control tokens.

``<|im_end|>`` in a question must stay text: otherwise whoever writes into the prompt can end the user's turn and speak
as the system. So control tokens inside messages are broken by a guard character before the template sees them; after
rendering, only the unbroken ones are the template's own and become ids. All else is tokenised with special tokens off.
"""

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgecascade.errors import ClosedError, QuestionError
from edgecascade.records import Message

GUARDS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Code points that Unicode reserves for uses like this one; they never stand in exchanged text."""


class Vocabulary:
    """The tokens of one loaded model; valid as long as the model is."""

    def __init__(self, native: Any, model: Any) -> None:
        self._native = native
        self._handle = native.llama_model_get_vocab(model)
        self.size: int = native.llama_vocab_n_tokens(self.handle)
        self.bos: int = native.llama_vocab_bos(self.handle)
        self.adds_bos: bool = native.llama_vocab_get_add_bos(self.handle)
        self.eos: int = native.llama_vocab_eos(self.handle)
        self._pieces: dict[int, bytes] = {}

    @property
    def handle(self) -> Any:
        """The native vocabulary; raises ClosedError when its model was freed."""
        if self._handle is None:
            raise ClosedError("this engine was closed, and its vocabulary with it; open a new one")
        return self._handle

    def close(self) -> None:
        """Refuse to be used from now on."""
        self._handle = None

    def text_of(self, token: int) -> str:
        """Return the token's own name, ``<|im_end|>`` for example; "" for no token (-1)."""
        return self._native.llama_vocab_get_text(self.handle, token).decode("utf-8", "replace") if token >= 0 else ""

    def piece(self, token: int) -> bytes:
        """Return the bytes that the token adds to an answer; none for a control token."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def is_end(self, token: int) -> bool:
        """Return whether the token ends the model's turn."""
        return bool(self._native.llama_vocab_is_eog(self.handle, token))

    def has_control(self, text: str) -> bool:
        """Return whether the text is exactly one control token of this vocabulary."""
        ids = self.tokenise(text, special=True)
        return len(ids) == 1 and self._is_control(ids[0])

    def tokenise(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of the text, without BOS; control tokens are recognised only if ``special``."""
        data = text.encode("utf-8")
        size = len(data) + 8
        while True:
            ids = (self._native.llama_token * size)()
            count = self._native.llama_tokenize(self.handle, data, len(data), ids, size, False, special)
            if count >= 0:
                return list(ids[:count])
            size = -count

    def guard(self, messages: Sequence[Message]) -> tuple[list[Message], str]:
        """Return the messages with every control token in them broken, and the guard character that breaks them."""
        everything = "".join(message.content for message in messages)
        guard = next((character for character in GUARDS if character not in everything), None)
        if guard is None:
            raise QuestionError(
                "the question contains all 32 Unicode noncharacters U+FDD0 to U+FDEF, one is needed free; remove one"
            )
        return [Message(message.role, self._break(message.content, guard)) for message in messages], guard

    def tokens_of_prompt(self, rendered: str, guard: str, *, begin: bool = True) -> list[int]:
        """Return the tokens of a rendered template: its control tokens as ids, all else as text.

        A prompt that is to ``begin`` with BOS for this model begins with exactly one.
        """
        ids: list[int] = []
        for part in self._parts(rendered, guard):
            ids += [part] if isinstance(part, int) else self.tokenise(part)
        return [self.bos, *ids] if begin and self.adds_bos and ids[:1] != [self.bos] else ids

    def _read_piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._native.llama_token_to_piece(self.handle, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def _break(self, text: str, guard: str) -> str:
        """Put the guard behind the first character of each control token, until none is left."""
        while names := self._controls_in(text):
            text = re.sub("|".join(map(re.escape, names)), lambda found: found[0][0] + guard + found[0][1:], text)
        return text

    def _controls_in(self, text: str) -> dict[str, int]:
        """Return the control tokens that stand in the text by name, the longest name first."""
        found = {self.text_of(token): token for token in self.tokenise(text, special=True) if self._is_control(token)}
        inside = {name: token for name, token in found.items() if name in text}
        return dict(sorted(inside.items(), key=lambda item: -len(item[0])))

    def _parts(self, rendered: str, guard: str) -> Iterator[int | str]:
        """Yield control tokens as ids and the text between them, white space stripped where a token asks for it."""
        controls = self._controls_in(rendered)
        pattern = "|".join(map(re.escape, controls))
        pieces = re.split(f"({pattern})", rendered) if controls else [rendered]
        for at, piece in enumerate(pieces):
            if at % 2:
                yield controls[piece]
                continue
            text = piece.replace(guard, "")
            if at and self._attribute(controls[pieces[at - 1]], self._native.LLAMA_TOKEN_ATTR_RSTRIP):
                text = text.lstrip()
            if at + 1 < len(pieces) and self._attribute(controls[pieces[at + 1]], self._native.LLAMA_TOKEN_ATTR_LSTRIP):
                text = text.rstrip()
            if text:
                yield text

    def _is_control(self, token: int) -> bool:
        native = self._native
        return self._attribute(token, native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN)

    def _attribute(self, token: int, mask: int) -> bool:
        return bool(self._native.llama_vocab_get_attr(self.handle, token) & mask)
