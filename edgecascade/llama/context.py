"""The native model and its memory: decode a batch, read a row, copy or forget a sequence. No policy here."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from edgecascade.errors import NativeLibraryError
from edgecascade.llama import native as library
from edgecascade.llama.settings import EngineSettings
from edgecascade.numerics import Row

NO_ROOM, ABORTED = 1, 2
LOOK_SECONDS = 0.25
"""How long a number of threads holds before it is asked for again; an answer may take minutes."""

ThreadsNow = Callable[[], int]


class Context:
    """A loaded model with one context; not thread-safe, and to be closed."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        """Load the model; raises NativeLibraryError when the library refuses it."""
        self.native = native = library.load()
        self._free: list[Callable[[], None]] = []
        self.model = native.llama_model_load_from_file(os.fsencode(path), settings.model_params(native))
        if not self.model:
            raise NativeLibraryError(
                f"llama.cpp cannot load {path}: {library.last_errors()}; "
                f"`edgecascade models show {path}` reads its header"
            )
        self._free.append(lambda: native.llama_model_free(self.model))
        self.length: int = min(settings.context, native.llama_model_n_ctx_train(self.model))
        self._context = native.llama_init_from_model(self.model, settings.context_params(native, self.length))
        if not self._context:
            self.close()
            raise NativeLibraryError(
                f"llama.cpp cannot make a context of {self.length} tokens: {library.last_errors()}; "
                "use a shorter one (--context) or a smaller model"
            )
        self._free.append(lambda: native.llama_free(self._context))
        self._memory = native.llama_get_memory(self._context)
        self._batch = native.llama_batch_init(max(settings.chunk, settings.sequences), 0, 1)
        self._free.append(lambda: native.llama_batch_free(self._batch))
        self.vocabulary_size: int = native.llama_vocab_n_tokens(native.llama_model_get_vocab(self.model))
        self.width: int = native.llama_model_n_embd_out(self.model)
        self._stop: Callable[[], bool] = lambda: False
        self._interrupted = False
        self._abort_callback = native.ggml_abort_callback(self._should_abort)
        self._no_callback = native.ggml_abort_callback()
        self._views: dict[int, Row] = {}
        self._threads = settings.threads or 1
        self._threads_now: ThreadsNow = lambda: self._threads
        self._look_again = 0.0

    def ask_threads(self, threads_now: ThreadsNow) -> None:
        """Ask this for the threads of the next decode, and from time to time for those of later ones."""
        self._threads_now, self._look_again = threads_now, 0.0

    def decode_chunk(self, tokens: Sequence[int], position: int, sequence: int, *, stop: Callable[[], bool]) -> bool:
        """Read tokens into a sequence, without output. False when stopped meanwhile."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for at, token in enumerate(tokens):
            self._place(at, token, position + at, sequence, output=False)
        self._stop, self._interrupted = stop, False
        self._settle_threads()
        set_callback = self.native.llama_set_abort_callback
        set_callback(self._context, self._abort_callback, None)
        try:
            with self._interrupts_noted():
                status = self.native.llama_decode(self._context, batch)
        finally:
            set_callback(self._context, self._no_callback, None)
        if self._interrupted:
            raise KeyboardInterrupt
        if status == ABORTED:
            return False
        self._check(status)
        return True

    def decode_step(self, tokens: Sequence[tuple[int, int, int]]) -> None:
        """Decode one (token, position, sequence) for each sequence; row i belongs to the i-th."""
        self._batch.n_tokens = len(tokens)
        for at, (token, position, sequence) in enumerate(tokens):
            self._place(at, token, position, sequence, output=True)
        self._settle_threads()
        self._check(self.native.llama_decode(self._context, self._batch))

    def logits(self, row: int) -> Row:
        """Return the raw logits of a row, shape (vocabulary,); a view, valid until the next decode."""
        return self._view(self.native.llama_get_logits_ith(self._context, row), self.vocabulary_size)

    def hidden_state(self, row: int) -> Row:
        """Return a copy of the final hidden state of a row, shape (width,); only after ``show_hidden(True)``."""
        return self._view(self.native.llama_get_embeddings_ith(self._context, row), self.width).copy()

    def show_hidden(self, wanted: bool) -> None:
        """Keep the final hidden states of the next decodes, or stop doing so."""
        self.native.llama_set_embeddings(self._context, wanted)

    def copy(self, source: int, target: int) -> None:
        """Let the target sequence share all that the source holds."""
        self.native.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def forget(self, sequence: int, start: int = 0) -> bool:
        """Drop a sequence from a position on; False where the model cannot go back that far."""
        removed = self.native.llama_memory_seq_rm(self._memory, sequence, start, -1)
        return bool(removed) and self.native.llama_memory_seq_pos_max(self._memory, sequence) == start - 1

    def clear(self) -> None:
        """Drop all sequences."""
        self.native.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free everything; twice is once."""
        while self._free:
            self._free.pop()()

    def _settle_threads(self) -> None:
        if time.monotonic() < self._look_again:
            return
        threads = self._threads_now()
        if threads != self._threads:
            self.native.llama_set_n_threads(self._context, threads, threads)
            self._threads = threads
        self._look_again = time.monotonic() + LOOK_SECONDS

    def _place(self, at: int, token: int, position: int, sequence: int, *, output: bool) -> None:
        batch = self._batch
        batch.token[at] = token
        batch.pos[at] = position
        batch.n_seq_id[at] = 1
        batch.seq_id[at][0] = sequence
        batch.logits[at] = output

    def _view(self, pointer: Any, length: int) -> Row:
        """Return the array behind a pointer; the library reuses few addresses, and making a view is not free."""
        if not pointer:
            raise NativeLibraryError(
                "llama.cpp gave no output for the last token; please report this with the model's name"
            )
        address = ctypes.addressof(pointer.contents)
        view = self._views.get(address)
        if view is None or len(view) != length:
            view = self._views[address] = np.ctypeslib.as_array(pointer, shape=(length,))
        return view

    def _should_abort(self, _: object) -> bool:
        """Answer the library's question between two operations of a chunk; no exception could leave from here."""
        try:
            return self._interrupted or self._stop()
        except KeyboardInterrupt:
            self._interrupted = True
            return True

    @contextmanager
    def _interrupts_noted(self) -> Generator[None]:
        """Let a Ctrl-C in the main thread be noted while native code calls back; raised there it would be lost."""
        usual = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(usual):
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            try:
                usual(number, frame)
            except KeyboardInterrupt:
                self._interrupted = True

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def _check(self, status: int) -> None:
        if status:
            reason = "no room in its memory" if status == NO_ROOM else library.last_errors()
            raise NativeLibraryError(
                f"llama.cpp failed to decode (status {status}): {reason}; try `edgecascade doctor`"
            )
