"""How fast an answer can be stopped while its prompt is read: python bench/cancel.py [SPEC]

A thread sets the event half a second into the reading of a prompt of about 3,000 tokens; measured is the time from
there until the call returns. Beside it the time that one chunk takes: what waiting for the next chunk would cost.
"""

import json
import sys
import threading
import time
from statistics import median

from edgecascade import Question, Sampling, draft, open_local

RUNS = 10
WORDS = 500


def main() -> None:
    """Measure, and print the median and the worst."""
    latencies = []
    with open_local(sys.argv[1] if len(sys.argv) > 1 else None) as engine:
        for run in range(RUNS):
            prompt = " ".join(f"{run} times {word}" for word in range(WORDS))
            cancel = threading.Event()
            pressed: list[float] = []
            timer = threading.Timer(
                0.5, lambda pressed=pressed, cancel=cancel: (pressed.append(time.perf_counter()), cancel.set())
            )
            timer.start()
            answer = draft(engine, Question.of(prompt), cancel=cancel)
            latencies.append(time.perf_counter() - pressed[0])
            if answer.finish_reason != "cancelled":
                raise SystemExit(f"the prompt was read in {answer.timings.ttft_s:.1f} s, before it could be stopped")
        alone = draft(engine, Question.of("one two three " * 30, sampling=Sampling(max_tokens=1)))
        chunk = engine.settings.chunk / alone.timings.prefill_tps
    record = {
        "cancel_median_ms": median(latencies) * 1e3,
        "cancel_worst_ms": max(latencies) * 1e3,
        "chunk_ms": chunk * 1e3,
    }
    print(json.dumps({name: round(value, 2) for name, value in record.items()}))


if __name__ == "__main__":
    main()
