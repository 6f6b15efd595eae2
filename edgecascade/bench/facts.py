"""What was measured, on what: llama-bench's keys."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.bench.rows import TIMES
from edgecascade.llama import native
from edgecascade.llama.settings import EngineSettings
from edgecascade.store.gguf import read_gguf

FLASH_ATTENTION = {"auto": -1, "on": 1, "off": 0}


def facts_of(path: Path, settings: EngineSettings, *, peer: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return them; what only llama-bench can say is taken from its own record, ``peer``, and None without one.

    What two runs are compared by is told by us in any case: to llama-bench many an Arm processor is just "CPU".
    """
    header, peer, machine = read_gguf(path), peer or {}, sensors.machine()
    backend = native.backend(settings.gpu_layers)
    return {
        **{key: value for key, value in peer.items() if key not in TIMES},
        "build_commit": peer.get("build_commit"),
        "build_number": peer.get("build_number"),
        "cpu_info": machine.cpu or native.cpu_id(),
        "gpu_info": ", ".join(machine.gpus) if backend == "gpu" else "",
        "backends": peer.get("backends") or backend.upper(),
        "model_filename": str(path),
        "model_type": peer.get("model_type") or f"{header.architecture} {header.quantisation}",
        "model_size": peer.get("model_size") or header.bytes,
        "model_n_params": peer.get("model_n_params") or header.parameters,
        "n_batch": settings.chunk,
        "n_ubatch": settings.chunk,
        "n_threads": settings.threads,
        "type_k": settings.kv_type,
        "type_v": settings.kv_type,
        "n_gpu_layers": settings.gpu_layers,
        "flash_attn": FLASH_ATTENTION[settings.flash_attention],
        "use_mmap": True,
        "repack": settings.use_extra_bufts,
        "test_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "llama_cpp_python": native.version(),
        "platform": platform.platform(),
    }
