"""What a running server says of the model that it serves.

    llama-server  GET /props, and ``meta`` in GET /v1/models: https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    ollama        GET /api/version, GET /api/tags, POST /api/show: https://github.com/ollama/ollama/blob/main/docs/api.md
    LM Studio     GET /api/v0/models: https://lmstudio.ai/docs/app/api/endpoints/rest
    any other     GET /v1/models, which knows no more than a name

What a server does not say is "unknown", or 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from edgecascade.cloud.refusals import plain
from edgecascade.cloud.specs import CloudSpec, is_local
from edgecascade.cloud.wire import Json, count_of, entry, name_of, rows
from edgecascade.errors import CloudError

UNKNOWN = "unknown"
SECONDS = 5.0
"""The longest that a server may take to say what it is."""

_QUANTISATION = re.compile(r"(?<![A-Z0-9])(I?Q\d\w*|BF16|F16|F32|MXFP4)(?![A-Z0-9])", re.IGNORECASE)
_META = ("vocab_type", "n_vocab", "n_ctx_train", "n_embd", "n_params", "size")
_SHAPE = ("general.architecture", "general.basename", "general.parameter_count")
_WIDTHS = ("embedding_length", "block_count", "feed_forward_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A server's own description.

    model    the name to ask for                  weights  what tells this file from others; None where nothing does
    library  "ollama 0.12.11"                     shape    what all quantisations of this model share
    """

    model: str
    library: str
    weights: Mapping[str, Any] | None
    shape: Mapping[str, Any]
    quantisation: str = UNKNOWN
    template: str = UNKNOWN
    context: int = 0
    sequences: int = 0


def described(spec: CloudSpec) -> Described:
    """Return what a server says of the model that a spec names, or of the first that it lists.

    Raises CloudError where it is not reached, or lists no model.
    """
    root = spec.base_url.removesuffix("/v1")
    headers = {"Authorization": f"Bearer {spec.key}"} if spec.key else {}
    with httpx.Client(timeout=SECONDS, headers=headers, trust_env=not is_local(root)) as client:
        listed = [entry(row) for row in rows(_said(client, spec, "GET", f"{spec.base_url}/models").get("data"))]
        first = next((row for row in listed if row.get("id") == spec.model), (listed or [{}])[0])
        model = spec.model or name_of(first.get("id"))
        if model is None:
            raise CloudError(
                f"{spec.base_url}/models lists no model: found none, wanted one that is loaded; load one, or name it: "
                "ADDRESS#MODEL",
                code="protocol",
            )
        props = _said(client, spec, "GET", f"{root}/props")
        if "default_generation_settings" in props:
            return _llama_server(model, props, entry(first.get("meta")))
        if version := name_of(_said(client, spec, "GET", f"{root}/api/version").get("version")):
            tags = rows(_said(client, spec, "GET", f"{root}/api/tags").get("models"))
            shown = _said(client, spec, "POST", f"{root}/api/show", {"model": model})
            return _ollama(model, version, tags, shown)
        others = rows(_said(client, spec, "GET", f"{root}/api/v0/models").get("data"))
        return _named(model, next((row for row in map(entry, others) if row.get("id") == model), {}))


def quantisation_of(name: str) -> str:
    """Return the quantisation that a file's name ends with, as is the custom.

    >>> quantisation_of("SmolLM2-135M-Instruct.Q4_1.gguf"), quantisation_of("small")
    ('Q4_1', 'unknown')
    """
    found = _QUANTISATION.findall(name)
    return found[-1].upper() if found else UNKNOWN


def _llama_server(model: str, props: Json, meta: Json) -> Described:
    file = re.split(r"[/\\]", name_of(props.get("model_path")) or model)[-1]
    known = {name: meta[name] for name in _META if count_of(meta.get(name))}
    whole = {"n_params", "size"} <= known.keys()
    return Described(
        model=model,
        library=f"llama-server {name_of(props.get('build_info')) or UNKNOWN}",
        weights={"file": file, **known} if whole else None,
        shape={name: value for name, value in known.items() if name != "size"} or {"name": model},
        quantisation=quantisation_of(file),
        template=name_of(props.get("chat_template")) or UNKNOWN,
        context=count_of(entry(props["default_generation_settings"]).get("n_ctx")) or 0,
        sequences=count_of(props.get("total_slots")) or 0,
    )


def _ollama(model: str, version: str, tags: list[Any], shown: Json) -> Described:
    names = (model, f"{model}:latest")
    tag = next((row for row in map(entry, tags) if row.get("name") in names or row.get("model") in names), {})
    details, facts = entry(shown.get("details")) or entry(tag.get("details")), entry(shown.get("model_info"))
    widths = [name for name in facts if name.partition(".")[2] in _WIDTHS]
    digest = name_of(tag.get("digest"))
    return Described(
        model=model,
        library=f"ollama {version}",
        weights={"digest": digest} if digest else None,
        shape={name: facts[name] for name in (*_SHAPE, *sorted(widths)) if name in facts}
        or {name: details.get(name) for name in ("family", "parameter_size")},
        quantisation=name_of(details.get("quantization_level")) or UNKNOWN,
        template=name_of(shown.get("template")) or UNKNOWN,
    )


def _named(model: str, row: Json) -> Described:
    """Return what is known of a server that tells names alone; LM Studio tells a little more."""
    return Described(
        model=model,
        library="lmstudio" if row else UNKNOWN,
        weights=None,
        shape={"name": model},
        quantisation=name_of(row.get("quantization")) or quantisation_of(model),
        context=count_of(row.get("loaded_context_length")) or 0,
    )


def _said(client: httpx.Client, spec: CloudSpec, method: str, url: str, body: Json | None = None) -> Json:
    """Return the JSON object that an address answers with, an empty one where it has none."""
    try:
        response = client.request(method, url, json=body)
        return entry(response.json()) if response.is_success else {}
    except httpx.HTTPError as error:
        raise CloudError(
            f"{spec.base_url} was not reached: found {plain(str(error), spec.key) or type(error).__name__}, wanted a "
            "server that answers; start it, or check the address",
        ) from None
    except (ValueError, RecursionError):
        return {}
