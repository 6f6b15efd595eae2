"""A running server stands for the local tier: what it says of itself, its signals, and what is promised of it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecascade import evidence
from edgecascade.calibrate.collect import collect, first_token
from edgecascade.calibrate.fit import fit
from edgecascade.cascade.assembling import assembled
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.served import ServedTier, identity_served
from edgecascade.cloud.client import CloudPool
from edgecascade.cloud.described import UNKNOWN, Described, described
from edgecascade.cloud.retry import Retries
from edgecascade.cloud.specs import cloud_spec
from edgecascade.errors import AttemptsError, CloudError, ConfigError, ContextLengthError
from edgecascade.fingerprint import LARGEST, PROMPTS, difference, fingerprint
from edgecascade.identity import verdict
from edgecascade.labelled import LabelledQuestion
from edgecascade.prompts import choose
from edgecascade.records import Draft, Message, Question, Sampling
from edgecascade.signals import signals
from edgecascade.store.attempts import read_attempts
from edgecascade.store.config.settings import Settings
from edgecascade.store.fitted_files import user_fitted, write_fitted
from edgecascade.store.paths import Folders
from edgecascade.testing import LoopbackCloud, Reply

WHY = Question.of("What is the capital of France?", sampling=Sampling(max_tokens=16))
PARIS = Reply("It is Paris.", logprobs=(-0.5, -0.25, -1.0))
FILE = "tiny-instruct.Q4_K_M.gguf"
COUNT = 80

LLAMA_SERVER: dict[str, Any] = {
    "/props": {
        "default_generation_settings": {"id": 0, "n_ctx": 4096, "params": {"temperature": 0.8}},
        "total_slots": 2,
        "model_path": f"/models/{FILE}",
        "chat_template": "{{ messages }}",
        "build_info": "b6940-c5023daf6",
    },
    "/v1/models": {
        "object": "list",
        "data": [
            {
                "id": f"/models/{FILE}",
                "object": "model",
                "owned_by": "llamacpp",
                "meta": {
                    "vocab_type": 2,
                    "n_vocab": 49152,
                    "n_ctx_train": 8192,
                    "n_embd": 576,
                    "n_params": 134515008,
                    "size": 98000000,
                },
            }
        ],
    },
}
DIGEST = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"
OLLAMA: dict[str, Any] = {
    "/api/version": {"version": "0.12.11"},
    "/v1/models": {"object": "list", "data": [{"id": "llama3.2:latest", "object": "model", "owned_by": "library"}]},
    "/api/tags": {"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest", "digest": DIGEST}]},
    "/api/show": {
        "template": "{{ .Prompt }}",
        "details": {"format": "gguf", "family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"},
        "model_info": {
            "general.architecture": "llama",
            "general.basename": "Llama-3.2",
            "general.parameter_count": 3212749888,
            "llama.block_count": 28,
            "llama.embedding_length": 3072,
            "llama.attention.head_count": 24,
        },
    },
}
LM_STUDIO: dict[str, Any] = {
    "/v1/models": {"object": "list", "data": [{"id": "qwen3-4b", "object": "model"}]},
    "/api/v0/models": {
        "data": [{"id": "qwen3-4b", "arch": "qwen3", "quantization": "Q8_0", "loaded_context_length": 4096}]
    },
}


def changed(pages: Mapping[str, Any], path: str, **fields: Any) -> dict[str, Any]:
    """Return the pages with other fields in one of them."""
    return {**pages, path: {**pages[path], **fields}}


def with_size(size: int, file: str = FILE) -> dict[str, Any]:
    """Return what llama-server says of another file of the same model."""
    row = LLAMA_SERVER["/v1/models"]["data"][0]
    row = {**row, "id": f"/models/{file}", "meta": {**row["meta"], "size": size}}
    return changed(LLAMA_SERVER, "/props", model_path=f"/models/{file}") | {"/v1/models": {"data": [row]}}


def seen(pages: Mapping[str, Any], model: str = "") -> Described:
    """Return what is understood of a server with these pages."""
    with LoopbackCloud("Paris.", pages=pages) as server:
        return described(cloud_spec(f"{server.base_url()}#{model}".rstrip("#"), {}))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Folders of one's own."""
    return Folders.of({"EDGECASCADE_HOME": str(tmp_path / "home")})


@pytest.fixture
def pool() -> Iterator[CloudPool]:
    """Connections that ask once only; no thread of them is left behind."""
    before = threading.enumerate()
    with CloudPool(retries=Retries(tries=1)) as opened:
        yield opened
    assert threading.enumerate() == before


def tier_of(server: LoopbackCloud, folders: Folders, pool: CloudPool | None = None, **more: Any) -> ServedTier:
    """Return the server as a tier."""
    return ServedTier(cloud_spec(server.base_url(), {}), folders, pool=pool, **more)


def streamed(*chunks: dict[str, Any]) -> Reply:
    """Return a reply of these bytes, as a server sends them."""
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return Reply(body="".join(lines).encode(), headers={"Content-Type": "text/event-stream"})


# What a server says of itself.


def test_llama_server_tells_shape_template_and_build() -> None:
    """GET /props and the meta of /v1/models make the description."""
    found = seen(LLAMA_SERVER)

    assert (found.model, found.library) == (f"/models/{FILE}", "llama-server b6940-c5023daf6")
    assert (found.quantisation, found.template, found.context, found.sequences) == ("Q4_K_M", "{{ messages }}", 4096, 2)
    assert found.weights == {"file": FILE, **LLAMA_SERVER["/v1/models"]["data"][0]["meta"]}
    assert "size" not in found.shape and found.shape["n_params"] == 134515008


@pytest.mark.parametrize("name", ["", "llama3.2", "llama3.2:latest"])
def test_ollama_tells_its_digest(name: str) -> None:
    """A model is known by the digest of all that it is made of, whether or not its tag is named."""
    found = seen(OLLAMA, name)

    assert found.weights == {"digest": DIGEST}
    assert (found.library, found.quantisation, found.template) == ("ollama 0.12.11", "Q4_K_M", "{{ .Prompt }}")
    assert found.shape["llama.block_count"] == 28 and "llama.attention.head_count" not in found.shape


def test_lm_studio_tells_a_name_and_a_quantisation() -> None:
    """What it says tells no file from another."""
    found = seen(LM_STUDIO)

    assert (found.library, found.quantisation, found.context, found.weights) == ("lmstudio", "Q8_0", 4096, None)


@pytest.mark.parametrize("page", [[], "text", None, {"default_generation_settings": None}, {"version": 3}])
def test_other_servers_tell_a_name(page: object) -> None:
    """Whatever stands behind the other addresses, the rest is unknown, and no file is told from another."""
    found = seen({"/props": page, "/api/version": page, "/api/v0/models": page})

    assert (found.model, found.weights, found.template, found.context) == ("loopback", None, UNKNOWN, 0)


def test_a_server_that_is_not_there_is_told(folders: Folders) -> None:
    """Opening fails with the address, not with the first question."""
    with LoopbackCloud.refusing() as server, pytest.raises(CloudError, match=r"was not reached.*start it"):
        tier_of(server, folders)


def test_a_server_without_a_model_is_told(folders: Folders) -> None:
    """Where nothing is loaded and nothing was named there is nothing to ask."""
    with LoopbackCloud("x", models=()) as server, pytest.raises(CloudError, match="lists no model"):
        tier_of(server, folders)


# What it is bound to.


@pytest.mark.parametrize(
    ("now", "state", "reason"),
    [
        (LLAMA_SERVER, "fresh", "exactly this"),
        (changed(LLAMA_SERVER, "/props", build_info="b7000"), "fresh", "watched: library"),
        (changed(LLAMA_SERVER, "/props", chat_template="other"), "refused", "another chat template"),
        (with_size(99, "tiny-instruct.Q8_0.gguf"), "stale", "another quantisation"),
        (with_size(99), "refused", "other weights"),
        (with_size(98000000, "finetuned.Q4_K_M.gguf"), "refused", "other weights"),
        (OLLAMA, "refused", "another model"),
    ],
)
def test_a_calibration_is_bound_to_the_file(now: dict[str, Any], state: str, reason: str) -> None:
    """Another file behind the same address is found out."""
    before, here = (identity_served(seen(pages), Sampling()) for pages in (LLAMA_SERVER, now))
    found = verdict(before, here)

    assert found.state == state
    assert reason in found.reason


def test_a_name_alone_is_promised_nothing() -> None:
    """Another file may stand behind the same name, so nothing is fresh."""
    here = identity_served(seen(LM_STUDIO), Sampling())

    assert verdict(here, here).state == "stale"
    assert "does not say which file" in verdict(here, here).reason


def test_it_is_kept_apart_from_a_model_in_this_process() -> None:
    """Its numbers are others, so a fitted file of the same weights is another one."""
    assert not identity_served(seen(OLLAMA), Sampling()).sha256.startswith(DIGEST[:16])


def test_another_sampler_or_a_schema_is_another_identity(folders: Folders) -> None:
    """What was fitted greedy and free holds for neither."""
    with LoopbackCloud(PARIS, pages=LLAMA_SERVER) as server, tier_of(server, folders) as tier:
        greedy, warm = tier.identity(Sampling()), tier.identity(Sampling(temperature=0.7))
        held = tier.run_of(replace(WHY, schema="{}"))["identity"]

    assert verdict(greedy, warm).state == "refused"
    assert held["grammar"] and not greedy.grammar


def test_a_server_is_asked_again_what_it_serves(folders: Folders) -> None:
    """After a minute another model behind the same address is noticed; one that is gone keeps its last identity."""
    now = [0.0]
    with LoopbackCloud(PARIS, pages=LLAMA_SERVER) as server, tier_of(server, folders, clock=lambda: now[0]) as tier:
        first = tier.identity(Sampling())
        server.pages = OLLAMA
        soon, now[0] = tier.identity(Sampling()), 60.0
        later = tier.identity(Sampling())
    now[0] = 120.0

    assert soon == first != later
    assert tier.identity(Sampling()) == later


# Its answers.


def test_signals_come_from_its_log_probabilities(folders: Folders, pool: CloudPool) -> None:
    """Log-probability, margin, entropy and mass are told; logsumexp is 0, and there is no hidden state."""
    with LoopbackCloud(PARIS) as server:
        draft = evidence.draft(tier_of(server, folders, pool), WHY, hidden=True)

    assert draft.text == "It is Paris." and draft.hidden is None
    assert [token.logprob for token in draft.tokens] == [-0.5, -0.25, -1.0]
    assert all(token.entropy > 0 and token.margin >= 0 and 0 < token.top5_mass <= 1 for token in draft.tokens)
    assert signals(draft)["mean_logsumexp"] == 0.0


def test_recorded_answers_of_llama_server_and_ollama_read_alike(folders: Folders, pool: CloudPool) -> None:
    """The one tells the numbers of its tokens, the other not; both give tokens with alternatives that have numbers."""
    row = {"token": "Paris", "bytes": [80], "logprob": -0.5}
    tops = [row, {"token": "Lyon", "bytes": [76], "logprob": -1.5}]
    numbered = [{**top, "id": number} for number, top in enumerate(tops, 7)]
    choice = {"index": 0, "delta": {"content": "Paris"}, "finish_reason": None}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 1, "total_tokens": 32}}
    llama = {**choice, "logprobs": {"content": [{**numbered[0], "top_logprobs": numbered}]}}
    ollama = {**choice, "logprobs": {"content": [{**row, "top_logprobs": tops}]}}
    with LoopbackCloud(*(streamed({"choices": [one]}, end, usage) for one in (llama, ollama))) as server:
        tier = tier_of(server, folders, pool)
        first, second = (evidence.draft(tier, WHY, alternatives=8) for _ in range(2))

    numbers = [[other.id for other in draft.tokens[0].alternatives] for draft in (first, second)]
    assert first.usage == second.usage and first.usage.prompt_tokens == 31
    assert numbers[0] == [7, 8] and len(set(numbers[1])) == 2 and min(numbers[1]) >= 0
    assert signals(first) == signals(second)


def test_a_second_look_is_taken(folders: Folders, pool: CloudPool) -> None:
    """The turned question is asked for one token, with eight alternatives."""
    question = choose("Capital of France?", ("Paris", "Lyon"), sampling=Sampling(max_tokens=4))
    with LoopbackCloud(Reply("A", logprobs=-0.1), Reply("B", logprobs=-0.2)) as server:
        draft = evidence.draft(tier_of(server, folders, pool), question)
        asked = server.requests[-1].body

    assert draft.second_look is not None and draft.second_look.probability > 0.99
    assert (asked["max_tokens"], asked["top_logprobs"]) == (1, 8)


def test_samples_are_drawn_one_after_another(folders: Folders, pool: CloudPool) -> None:
    """Each has a seed of its own, so they are not all the same."""
    warm = replace(WHY, sampling=Sampling(temperature=0.7, seed=5, max_tokens=8))
    with LoopbackCloud("Paris.", "Lyon.", "Nice.") as server:
        drafts = evidence.samples(tier_of(server, folders, pool), warm, 3)
        bodies = [request.body for request in server.requests if request.body]

    assert [draft.text for draft in drafts] == ["Paris.", "Lyon.", "Nice."]
    assert [body["seed"] for body in bodies] == [5, 6, 7] and {body["temperature"] for body in bodies} == {0.7}


def test_a_fingerprint_tells_another_model(folders: Folders, pool: CloudPool) -> None:
    """The same server is 0 apart from itself, another one more than is allowed."""
    script = [Reply("Yes.", logprobs=-0.5)] * (2 * len(PROMPTS)) + [Reply("Yes.", logprobs=-0.7)]
    with LoopbackCloud(*script) as server:
        ask = first_token(tier_of(server, folders, pool))
        marks = fingerprint(ask)
        same, other = difference(ask, marks), difference(ask, marks)

    assert same == 0.0
    assert other > LARGEST


def test_a_prompt_that_is_too_long_is_told_as_one(folders: Folders, pool: CloudPool) -> None:
    """So that a collection leaves the question out and goes on."""
    reply = Reply("the request exceeds the available context size, try increasing it", status=400)
    with LoopbackCloud(reply) as server, pytest.raises(ContextLengthError):
        evidence.draft(tier_of(server, folders, pool), WHY)


def test_no_gate_looks_and_no_state_is_wanted(folders: Folders, pool: CloudPool) -> None:
    """A server tells the length of the prompt only at its end, so what a gate saw when it was fitted is not there."""
    with LoopbackCloud(PARIS, pages=LLAMA_SERVER) as server:
        tier = tier_of(server, folders, pool)

    assert tier.gates(WHY) == () and not tier.wants_hidden(WHY)


# Calibrated like any other.


def labelled(count: int = COUNT) -> list[LabelledQuestion]:
    """Return questions whose answers are their own numbers."""
    return [
        LabelledQuestion(
            id=f"q{number:03}", task="numbers", messages=(Message("user", f"Say {number}."),), metric="number",
            gold=(str(number),),
        )
        for number in range(count)
    ]  # fmt: skip


def replies(count: int = COUNT) -> list[Reply]:
    """Return answers of which every third is wrong, and less sure."""
    return [
        Reply(str(number), logprobs=-0.05 - number / 2000) if number % 3 else Reply("-1", logprobs=-2.0 - number / 1000)
        for number in range(count)
    ]


def calibrated(server: LoopbackCloud, folders: Folders, pool: CloudPool, out: Path) -> ServedTier:
    """Return the server's tier, its answers collected and fitted as the user's own."""
    tier = tier_of(server, folders, pool)
    identity = tier.identity(Sampling())
    collect(tier, labelled(), out, sha256="", source="s", system=None, today="2026-11-22", clock=lambda: 0.0)
    found = fit(read_attempts([out]), promise="selective", epsilon=0.2, delta=0.1, today="2026-11-22")
    write_fitted(user_fitted(folders, identity.sha256), found.file, found.onnx)
    return tier


def judged(tier: ServedTier) -> tuple[Draft, Any]:
    """Return the server's next answer, and what it is worth."""
    question = Question.of("Say 7.", sampling=Sampling(max_tokens=64))
    draft = evidence.draft(tier, question)
    return draft, tier.estimate(question, draft, signals(draft))


@pytest.mark.parametrize(("pages", "state"), [(LLAMA_SERVER, "fresh"), (OLLAMA, "fresh"), (LM_STUDIO, "stale")])
def test_collected_fitted_and_judged(
    folders: Folders, pool: CloudPool, tmp_path: Path, pages: dict[str, Any], state: str
) -> None:
    """p_correct tells sure answers from others; the promise needs a server that says which file it runs."""
    script = [Reply("Yes.", logprobs=-0.5)] * len(PROMPTS) + replies()
    with LoopbackCloud(*script, Reply("7", logprobs=-0.06), Reply("7", logprobs=-2.01), pages=pages) as server:
        tier = calibrated(server, folders, pool, tmp_path / "attempts.jsonl")
        (_, sure), (_, unsure) = (judged(tier) for _ in range(2))

    assert sure.p_correct > unsure.p_correct
    assert sure.calibration.verdict == unsure.calibration.verdict == state
    assert sure.kept == (state == "fresh") and not unsure.kept
    assert (sure.promise is not None) == (state == "fresh")


def test_without_log_probabilities_nothing_is_collected(folders: Folders, pool: CloudPool, tmp_path: Path) -> None:
    """The message says which servers tell them."""
    with LoopbackCloud("Paris.") as server, pytest.raises(AttemptsError, match=r"no log-probabilities.*0\.12\.11"):
        calibrated(server, folders, pool, tmp_path / "attempts.jsonl")


def test_without_log_probabilities_there_is_no_estimate(folders: Folders, pool: CloudPool, tmp_path: Path) -> None:
    """An answer of a server that has stopped telling them is not taken for a wrong one, but for an unknown one."""
    script = [Reply("Yes.", logprobs=-0.5)] * len(PROMPTS) + replies()
    with LoopbackCloud(*script, Reply("7"), pages=LLAMA_SERVER) as server:
        tier = calibrated(server, folders, pool, tmp_path / "attempts.jsonl")
        draft, estimate = judged(tier)

    assert draft.text == "7" and not draft.tokens
    assert estimate.p_correct is None and "no log-probabilities" in estimate.calibration.reason


# In a cascade.


@pytest.fixture
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's folders are this test's own."""
    monkeypatch.setenv("EDGECASCADE_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("_home")
def test_an_address_is_a_model() -> None:
    """The settings' model may be a server; it is the device, so nothing is taken out of what it is asked."""
    card = "Is 4111 1111 1111 1111 a card?"
    with LoopbackCloud(PARIS) as server:
        with Cascade(**assembled(Settings(model=server.base_url())).parts()) as cascade:
            answer = cascade.ask(card)
        sent = server.requests[-1].body["messages"][-1]["content"]

    assert (answer.tier, answer.text, answer.usd) == ("local", "It is Paris.", 0.0)
    assert answer.model == f"{server.address.removeprefix('http://')}#loopback"
    assert sent == card


@pytest.mark.usefixtures("_home")
def test_what_the_device_cannot_answer_goes_to_the_cloud() -> None:
    """A server that fails is a device that fails: the cloud is asked."""
    with LoopbackCloud(Reply("no", status=400)) as device, LoopbackCloud("Berlin.") as cloud:
        settings = Settings(model=device.base_url(), cloud=cloud.spec())
        with Cascade(**assembled(settings).parts()) as cascade:
            answer = cascade.ask("Why?")

    assert (answer.tier, answer.text) == ("cloud", "Berlin.")
    assert answer.attempts[0].failure is not None


@pytest.mark.usefixtures("_home")
def test_plain_http_reaches_this_machine_alone() -> None:
    """A server elsewhere is asked by https, like a cloud."""
    with pytest.raises(ConfigError, match="https://HOST"):
        assembled(Settings(model="http://192.0.2.1/v1#small"))


def test_the_command_line_asks_a_server(tmp_path: Path) -> None:
    """``ask -m ADDRESS`` prints its answer, and needs no model file."""
    environment = os.environ | {"EDGECASCADE_HOME": str(tmp_path), "EDGECASCADE_OFFLINE": "1"}
    with LoopbackCloud(PARIS) as server:
        words = [sys.executable, "-m", "edgecascade", "ask", "-m", server.base_url(), "Capital of France?"]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)

    assert (done.returncode, done.stdout) == (0, "It is Paris.\n"), done.stderr
    assert "#loopback" in done.stderr


@pytest.mark.usefixtures("_home")
def test_an_answer_without_log_probabilities_says_why() -> None:
    """Also where nothing was fitted yet: the reason names the servers that tell them."""
    with LoopbackCloud("Paris.") as server, Cascade(**assembled(Settings(model=server.base_url())).parts()) as cascade:
        answer = cascade.ask("Capital of France?")

    assert (answer.text, answer.p_correct, answer.mean_token_probability) == ("Paris.", None, None)
    assert answer.calibration is not None and "0.12.11" in answer.calibration.reason
