"""What our decode is measured against, on the same library: its bare decode, and llama-cpp-python's high-level path.

The high-level path runs in a child process: it cannot be told to leave out the weight repacking that crashes on some
machines (``use_extra_bufts``).
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from edgecascade.llama import native
from edgecascade.llama.context import Context
from edgecascade.llama.probe import no_core_dump
from edgecascade.llama.settings import EngineSettings
from edgecascade.numerics import LogitMeter

MAIN = 0
SPARE = 8


def signal_seconds(path: Path, settings: EngineSettings, *, prompt: list[int], tokens: int) -> float:
    """Return the median seconds that reading one row of logits takes, between real decodes of greedy tokens."""
    context = Context(path, settings)
    try:
        for at in range(0, len(prompt), settings.chunk):
            context.decode_chunk(prompt[at : at + settings.chunk], at, MAIN, stop=lambda: False)
        meter, took, token = LogitMeter(context.vocabulary_size), [], prompt[-1]
        for position in range(len(prompt), len(prompt) + tokens):
            context.decode_step([(token, position, MAIN)])
            logits = context.logits(0)
            started = time.perf_counter()
            reading = meter.read(logits)
            took.append(time.perf_counter() - started)
            token = reading.top_ids[0]
    finally:
        context.close()
    return median(took)


def high_level(path: Path, settings: EngineSettings, *, prompt: list[int], tokens: int, rounds: int) -> list[float]:
    """Return tokens/s of ``Llama.create_completion(logprobs=5)``, one a round; none where it dies or fails here."""
    order = {"path": str(path), "settings": asdict(settings), "prompt": prompt, "tokens": tokens, "rounds": rounds}
    command = [sys.executable, "-P", "-m", "edgecascade.llama.baselines"]
    child = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=False)
    return list(json.loads(child.stdout)) if child.returncode == 0 else []


def _child(order: dict[str, Any]) -> list[float]:
    no_core_dump()
    llama_cpp = native.load()
    settings = EngineSettings(**order["settings"])
    model = llama_cpp.Llama(
        order["path"],
        n_ctx=len(order["prompt"]) + order["tokens"] + SPARE,
        n_batch=settings.chunk,
        n_ubatch=settings.chunk,
        n_threads=settings.threads or 1,
        n_threads_batch=settings.threads or 1,
        n_gpu_layers=settings.gpu_layers,
        flash_attn=settings.flash_attention != "off",
        logits_all=True,
        verbose=False,
    )
    try:
        return [_round(model, order["prompt"], order["tokens"]) for _ in range(order["rounds"])]
    finally:
        model.close()


def _round(model: Any, prompt: list[int], tokens: int) -> float:
    """Return tokens/s of one streamed completion, the first token left out."""
    model.reset()
    stream = model.create_completion(prompt, max_tokens=tokens, temperature=0.0, logprobs=5, stream=True)
    arrivals = [time.perf_counter() for _ in stream]
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


if __name__ == "__main__":
    print(json.dumps(_child(json.load(sys.stdin))))
