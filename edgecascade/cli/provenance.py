"""What a measurement noted beside its figures, for people: one a line. The record itself is in --json."""

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = ("date", "mode", "library")
ENERGY = (("decode", "writing"), ("prefill", "reading"))


def noted(provenance: Mapping[str, Any]) -> list[str]:
    """Return the figures and remarks worth telling; what is not of the form that `measure` writes is passed over."""
    lines = [f"{name}: {value}" for name in HEAD if isinstance(value := provenance.get(name), str)]
    for key, steps in _part(provenance, "models").items():
        model, _, size = str(key).rpartition(" ")
        name = model if model and size.isdigit() else str(key)
        lines += [f"{name}: {line}" for line in _of_model(steps)] if isinstance(steps, Mapping) else []
    return lines


def _of_model(steps: Mapping[str, Any]) -> Iterator[str]:
    if seconds := _number(_part(steps, "first token"), "seconds"):
        yield f"first token of a short question in {seconds:.3g} s"
    load = _part(steps, "load")
    if size := _number(load, "bytes"):
        context, more = load.get("context"), _number(load, "bytes_per_1k_context")
        with_context = f" with a context of {context}" if isinstance(context, int) else ""
        yield f"memory {size / 2**20:.0f} MiB{with_context}" + (
            f", {more / 2**20:.3g} MiB a further 1k" if more else ""
        )
    for kind, what in ENERGY:
        if joules := _number(part := _part(_part(steps, "energy"), kind), "joules"):
            above = f", {net:.3g} J above rest" if (net := _number(part, "net_joules")) is not None else ""
            yield f"{joules:.3g} J a token of {what}{above}"
    for name, gain in _part(_part(steps, "variants"), "gains").items():
        reads, writes = (_number(gain, part) if isinstance(gain, Mapping) else None for part in ("reading", "writing"))
        if reads and writes:
            yield f"with {name} it reads {reads:.2f} x and writes {writes:.2f} x as fast; not adopted"
    for step, finding in steps.items():
        remarks = finding.get("remarks") if isinstance(finding, Mapping) else None
        yield from (f"{step}: {remark}" for remark in remarks or () if isinstance(remark, str))


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(record: Mapping[str, Any], name: str) -> float | None:
    found = record.get(name)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
