"""How the engine runs on this device."""

from dataclasses import dataclass
from typing import Any

from edgecascade.errors import InputError

KV_TYPES = {"f32": "GGML_TYPE_F32", "f16": "GGML_TYPE_F16", "q8_0": "GGML_TYPE_Q8_0", "q4_0": "GGML_TYPE_Q4_0"}
FLASH_ATTENTION = {
    "auto": "LLAMA_FLASH_ATTN_TYPE_AUTO",
    "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED",
    "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of one engine; an identity notes all but ``threads``, and of ``gpu_layers`` whether there are any.

    threads          for reading and writing; None: the idle physical cores, fewer while other engines decode. They
                     change numbers behind 256 tokens, where flash attention runs on a processor
    gpu_layers       layers on the GPU, -1 for all; without effect where the library was built for CPUs only
    chunk            prompt tokens a batch, and the step of prefix reuse
    context          the longest conversation in tokens, shortened to what the model was trained on
    kv_type          f32, f16, q8_0 or q4_0
    flash_attention  auto, on or off
    sequences        the most samples written side by side
    use_extra_bufts  let the library repack weights for this processor; the probe turns it off where that crashes
    template         a format of chat_template.FAMILIES or Jinja text, instead of the model's own
    """

    threads: int | None = None
    gpu_layers: int = -1
    chunk: int = 64
    context: int = 4096
    kv_type: str = "f16"
    flash_attention: str = "auto"
    sequences: int = 8
    use_extra_bufts: bool = True
    template: str | None = None

    def __post_init__(self) -> None:
        wrong: list[tuple[str, object, bool, str]] = [
            ("threads", self.threads, self.threads is None or 1 <= self.threads <= 512, "1 to 512, or None"),
            ("gpu_layers", self.gpu_layers, -1 <= self.gpu_layers <= 10_000, "-1 (all), 0 (none) to 10000"),
            ("chunk", self.chunk, 1 <= self.chunk <= 4096, "1 to 4096"),
            ("context", self.context, self.context >= 16, "16 or more"),
            ("kv_type", self.kv_type, self.kv_type in KV_TYPES, ", ".join(KV_TYPES)),
            ("flash_attention", self.flash_attention, self.flash_attention in FLASH_ATTENTION, "auto, on, off"),
            ("sequences", self.sequences, 1 <= self.sequences <= 64, "1 to 64"),
        ]
        for name, found, good, wanted in wrong:
            if not good:
                raise InputError(f"engine setting {name} = {found!r} cannot be used; wanted {wanted}")

        if self.flash_attention == "off" and self.kv_type not in ("f32", "f16"):
            raise InputError(
                f"engine settings kv_type = {self.kv_type!r} with flash_attention = 'off' cannot be used: quantized "
                "values need flash attention; wanted auto or on, or kv_type f16"
            )

    def model_params(self, native: Any) -> Any:
        """Return the library's structure for loading."""
        params = native.llama_model_default_params()
        params.n_gpu_layers = self.gpu_layers
        params.use_extra_bufts = self.use_extra_bufts
        return params

    def context_params(self, native: Any, context: int) -> Any:
        """Return the library's structure for a context of this many tokens."""
        params = native.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = max(self.chunk, self.sequences)
        params.n_seq_max = max(self.sequences, 2)
        params.n_threads = params.n_threads_batch = self.threads or 1
        params.flash_attn_type = getattr(native, FLASH_ATTENTION[self.flash_attention])
        params.type_k = params.type_v = getattr(native, KV_TYPES[self.kv_type])
        params.kv_unified = True  # sequences share the prompt's cells; split, a partial copy aborts the process
        params.swa_full = True  # keep what left the sliding window, so that a prefix can be gone back to
        params.no_perf = True
        return params
