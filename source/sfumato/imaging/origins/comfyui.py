"""ComfyUI: the graph that was executed, read back from the sampler nearest the saved picture. Rule: M17.

PNG: texts `prompt` (executed) and `workflow` (drawn); WebP and AVIF: EXIF Model "prompt:{...}" and Make "workflow:{...}".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sfumato.imaging.bounded_json import NotJson, read_object
from sfumato.imaging.claims import Claims, model_name, network_tag, with_tags
from sfumato.imaging.exif import CAMERA, MAKE, USER_COMMENT
from sfumato.imaging.origins.comfy_graph import Graph, Node, executed
from sfumato.imaging.origins.names import comfy_schedule, sampler_title
from sfumato.imaging.texts import Texts

_TEXT_INPUTS = ("text", "text_g", "text_l", "positive", "negative", "clip_l", "t5xxl", "prompt", "populated_text")
_MODEL_INPUTS = ("model", "MODEL", "lora_stack", "unet", "basic_pipe")
_LATENT_INPUTS = ("latent_image", "latent", "samples", "pixels", "image", "images", "upscaled_latent")
_STEPS_OF_SAMPLING = {"v_prediction": "v", "eps": "eps"}
_LATENT_UPSCALERS = {
    "nearest-exact": "Latent (nearest-exact)", "bilinear": "Latent", "bicubic": "Latent (bicubic)", "area": "Latent (antialiased)",
    "bislerp": "Latent (bicubic)",
}  # fmt: skip
_PIXEL_UPSCALERS = {"nearest-exact": "Nearest", "bilinear": "Bilinear", "bicubic": "Bicubic", "lanczos": "Lanczos", "area": "Box"}
_SCHEDULERS = {"karrasscheduler": "karras", "exponentialscheduler": "exponential", "polyexponentialscheduler": "polyexponential",
               "sdturboscheduler": "trailing",
               "alignyourstepsscheduler": "align_your_steps", "vpscheduler": "vp", "laplacescheduler": "laplace",
               "betasamplingscheduler": "beta_t"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Run:
    """One sampler node and the nodes that say how it samples; `guider`, `sigmas` ... are the node itself where it has no such parts."""

    node: Node
    guider: Node
    sigmas: Node
    method: Node
    noise: Node


def read(texts: Texts) -> Claims | None:
    """What a picture of ComfyUI claims; None if it is none."""
    nodes, warning = _nodes(texts)
    if nodes is None:
        return None
    graph = Graph(nodes)
    if not graph.nodes:
        return None
    claims = Claims("comfyui")
    claims.warnings += [warning] if warning else []
    _read_graph(graph, claims)
    return claims


def _nodes(texts: Texts) -> tuple[dict | None, str]:
    """The executed graph, or the drawn one in its place."""
    for text in (texts.keywords.get("prompt", ""), _behind(texts, "prompt:"), _comment(texts, "prompt")):
        if (found := _object(text)) is not None and any(isinstance(node, dict) and "class_type" in node for node in found.values()):
            return found, ""
    for text in (texts.keywords.get("workflow", ""), _behind(texts, "workflow:"), _comment(texts, "workflow")):
        if (found := _object(text)) is not None and "nodes" in found:
            return executed(found), "The picture holds only the drawn graph of ComfyUI; values of nodes that are not built in could not be read."
    return None, ""


def _behind(texts: Texts, mark: str) -> str:
    """What stands behind a mark in any of the EXIF texts that ComfyUI uses: Model, Make and the tags below."""
    for tag in (CAMERA, *range(MAKE, MAKE - 8, -1), USER_COMMENT):
        text = texts.exif.get(tag, "")
        if text[:16].casefold().startswith(mark):
            return text[len(mark) :]
    return ""


def _comment(texts: Texts, key: str) -> str:
    """Some savers write both graphs as one object into the comment."""
    found = _object(texts.exif.get(USER_COMMENT, "")) or {}
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _object(text: str) -> dict | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return read_object(text)
    except NotJson:
        return None


def _is_sampler(node: Node) -> bool:
    kind = node.kind.casefold()
    return (
        "sampler" in kind and any(name in node.inputs for name in ("latent_image", "latent", "samples")) and ("steps" in node.inputs or "sigmas" in node.inputs)
    )


def _read_graph(graph: Graph, claims: Claims) -> None:
    distances = graph.distances(graph.ends())
    samplers = [node for node in graph.nodes.values() if _is_sampler(node)]
    if not samplers:
        claims.warnings.append("No sampler was found in the graph of ComfyUI; only its nodes are listed.")
        claims.keep({"Nodes": _kinds(graph, set())})
        return
    last = min(samplers, key=lambda node: distances.get(node.number, len(graph.nodes) + 1))
    chain = [last, *(node for node in graph.upstream(last, *_LATENT_INPUTS) if _is_sampler(node))]
    first = chain[-1]
    used = {node.number for node in chain}
    claims.switch(emphasis="interpolate", comments=False, dynamic=False)
    claims.claim("rng", "cpu")
    _add_first(graph, claims, _run(graph, first), last)
    if first is not last:
        _add_second(graph, claims, _run(graph, first), _run(graph, last))
    others = [node for node in samplers if node not in (first, last)]
    claims.keep({f"Sampler {node.number}": _summary(graph, _run(graph, node)) for node in others})
    claims.keep({"Nodes": _kinds(graph, used)})


def _kinds(graph: Graph, used: set[str]) -> str:
    """The classes of all nodes that are neither samplers nor built in and understood."""
    known = {"CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "VAEDecode", "SaveImage", "PreviewImage", "LoraLoader", "LoraLoaderModelOnly",
    "VAELoader",
             "CLIPSetLastLayer", "UNETLoader", "KSamplerSelect", "BasicScheduler", "RandomNoise", "CFGGuider", "LatentUpscale", "LatentUpscaleBy"}  # fmt: skip
    return ", ".join(dict.fromkeys(node.kind[:80] for node in graph.nodes.values() if node.kind not in known and node.number not in used))


def _run(graph: Graph, node: Node) -> _Run:
    def part(name: str) -> Node:
        return graph.source(node, name) or node

    return _Run(node, part("guider"), part("sigmas"), part("sampler"), part("noise"))


def _steps(graph: Graph, run: _Run) -> object:
    return graph.value(run.sigmas, "steps")


def _strength(graph: Graph, run: _Run) -> float:
    """Share of the way that is sampled: `denoise`, or that of the steps after the first."""
    denoise = graph.value(run.sigmas, "denoise")
    start, steps = graph.value(run.node, "start_at_step"), _steps(graph, run)
    if isinstance(start, int) and isinstance(steps, int) and 0 < start < steps:
        return 1 - start / steps
    return float(denoise) if isinstance(denoise, int | float) else 1.0


def _method(graph: Graph, run: _Run) -> tuple[str | None, str | None]:
    title = sampler_title(graph.value(run.method, "sampler_name"))
    if title is None and run.method is not run.node:  # a node of one method: SamplerDPMPP_2M_SDE
        title = sampler_title(run.method.kind.removeprefix("Sampler").casefold())
    schedule = comfy_schedule(graph.value(run.sigmas, "scheduler"))
    return title, schedule or _SCHEDULERS.get(run.sigmas.kind.casefold())


def _summary(graph: Graph, run: _Run) -> str:
    title, schedule = _method(graph, run)
    return f"{run.node.kind[:80]}: {title}, {schedule}, {_steps(graph, run)} steps, denoise {_strength(graph, run):g}"


def _add_first(graph: Graph, claims: Claims, run: _Run, last: Node) -> None:
    """The first pass: everything but the highres pass."""
    claims.claim("seed", graph.value(run.noise, "seed", "noise_seed"))
    claims.claim("steps", _steps(graph, run))
    claims.claim("guidance", graph.value(run.guider, "cfg") if "BasicGuider" not in run.guider.kind else 1.0)
    title, schedule = _method(graph, run)
    claims.claim("sampler", title)
    claims.claim("schedule", schedule)
    for name, value in (("sigma_min", "sigma_min"), ("sigma_max", "sigma_max"), ("rho", "rho")):
        if run.sigmas is not run.node:
            claims.claim(name, graph.value(run.sigmas, value))
    if (strength := _strength(graph, run)) < 1:
        claims.claim("strength", strength)
        # `steps` is what is run, whatever the share of the way.
        claims.claim("exact_steps", graph.value(run.node, "start_at_step") is None)
    tags = _add_model(graph, claims, run)
    _add_prompts(graph, claims, run, tags)
    _add_size(graph, claims, run)
    ends = [node for node in graph.nodes.values() if "vaedecode" in node.kind.casefold()]
    decoder = next((node for node in ends if (source := graph.source(node, "samples")) and source.number == last.number), ends[0] if ends else None)
    vae = graph.source(decoder, "vae") if decoder else None
    claims.claim("vae", model_name(graph.value(vae, "vae_name")))


def _add_model(graph: Graph, claims: Claims, run: _Run) -> list[str]:
    """Checkpoint and what changes it on the way; returns the tags of its LoRAs, in the order they are applied."""
    tags: list[str] = []
    for node in graph.upstream(run.guider, *_MODEL_INPUTS):
        name = model_name(graph.value(node, "ckpt_name", "unet_name", "base_ckpt_name"))
        if name is not None and "model" not in claims.fields:
            claims.claim("model", name)
        tags[:0] = _lora_tags(graph, node)
        kind = node.kind.casefold()
        if "modelsamplingdiscrete" in kind:
            claims.claim("prediction", _STEPS_OF_SAMPLING.get(str(graph.value(node, "sampling"))))
            if graph.value(node, "zsnr") is True:
                claims.claim("zero_terminal_snr", "on")
        elif "rescalecfg" in kind:
            claims.claim("cfg_rescale", graph.value(node, "multiplier"))
        elif "perturbedattention" in kind:
            claims.claim("pag_scale", graph.value(node, "scale"))
        elif kind.startswith("freeu"):
            for letter in ("b1", "b2", "s1", "s2"):
                claims.claim(f"freeu_{letter}", graph.value(node, letter))
    return tags


def _lora_tags(graph: Graph, node: Node) -> list[str]:
    tags = [
        network_tag(
            graph.value(node, "lora_name"), graph.value(node, "strength_model", "lora_model_strength"), graph.value(node, "strength_clip", "lora_clip_strength")
        )
    ]
    for key, given in node.inputs.items():
        if isinstance(given, dict) and given.get("on") and "lora" in given:  # rows of a list of LoRAs
            tags.append(network_tag(given["lora"], given.get("strength", 1.0), given.get("strengthTwo") or given.get("strength", 1.0)))
        elif (found := re.fullmatch(r"lora_name_(\d+)", key)) and graph.value(node, f"switch_{found[1]}") != "Off":
            weights = (
                graph.value(node, f"model_weight_{found[1]}", f"model_str_{found[1]}", f"lora_wt_{found[1]}"),
                graph.value(node, f"clip_weight_{found[1]}"),
            )
            tags.append(network_tag(graph.value(node, key), 1.0 if weights[0] is None else weights[0], weights[1]))
    return list(filter(None, tags))


def _add_prompts(graph: Graph, claims: Claims, run: _Run, tags: list[str]) -> None:
    encoders: list[Node] = []

    def encode(node: Node, side: str) -> str:
        names = [name for name in _TEXT_INPUTS if name in node.inputs and (not side or name not in ("positive", "negative") or name == side)]
        names = [name for name in names if not (name in ("positive", "negative") and graph.link(node, name))]
        if "text_g" in names and "text_l" in names and graph.text(node, "text_g") == graph.text(node, "text_l"):
            names.remove("text_l")
        text = graph.text(node, *names[:1])
        if text:
            encoders.append(node)
        return converted(text)

    positive = graph.conditioning(graph.link(run.guider, "positive", "conditioning", "cond"), encode)
    count = len(encoders)
    claims.claim("prompt", with_tags(positive, tags))
    claims.claim("negative", graph.conditioning(graph.link(run.guider, "negative"), encode))
    for node in encoders[:1]:
        _add_told(graph, claims, node)
    for node in encoders[:count][:1]:
        for layer in graph.upstream(node, "clip"):
            stop = graph.value(layer, "stop_at_clip_layer")
            if isinstance(stop, int) and -12 <= stop <= -1:
                claims.claim("clip_skip", -stop)
                break


def _add_told(graph: Graph, claims: Claims, node: Node) -> None:
    """Sizes that an encoder of SDXL was told."""
    if "sdxl" not in node.kind.casefold():
        return
    names = {"width": "original_width", "height": "original_height", "crop_w": "crop_left", "crop_h": "crop_top", "target_width": "target_width",
             "target_height": "target_height"}  # fmt: skip
    for theirs, ours in names.items():
        claims.claim(ours, graph.value(node, theirs))


def _add_size(graph: Graph, claims: Claims, run: _Run) -> None:
    for node in graph.upstream(run.node, *_LATENT_INPUTS):
        width, height = graph.value(node, "width", "empty_latent_width"), graph.value(node, "height", "empty_latent_height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            claims.claim("width", width)
            claims.claim("height", height)
            return


def _add_second(graph: Graph, claims: Claims, first: _Run, last: _Run) -> None:
    """The pass behind the first one: the same way with another model is a refiner, anything else repaints what was enlarged."""
    between = []
    for node in graph.upstream(last.node, *_LATENT_INPUTS):
        if node.number == first.node.number:
            break
        between.append(node)
    start, steps = graph.value(last.node, "start_at_step"), _steps(graph, last)
    model = next((name for node in graph.upstream(last.guider, *_MODEL_INPUTS) if (name := model_name(graph.value(node, "ckpt_name", "unet_name")))), None)
    if isinstance(start, int) and isinstance(steps, int) and 0 < start < steps and not between:
        if model is not None and model != claims.fields.get("model"):
            claims.claim("refiner", model)
            claims.claim("refiner_switch_at", start / steps)
            claims.claim("refiner_by_steps", True)
        return
    if _strength(graph, last) >= 1:
        claims.keep({f"Sampler {last.node.number}": _summary(graph, last)})
        return
    _add_enlargement(graph, claims, between)
    claims.claim("hr_strength", _strength(graph, last))
    title, schedule = _method(graph, last)
    for name, value in (("sampler", title), ("schedule", schedule), ("guidance", graph.value(last.guider, "cfg")), ("model", model)):
        if value is not None and value != claims.fields.get(name):
            claims.claim(f"hr_{name}", value)
    if isinstance(steps := _steps(graph, last), int):
        # What is run of them: all, or those behind the first.
        claims.claim("hr_steps", steps - start if isinstance(start, int) and 0 < start < steps else steps)


def _add_enlargement(graph: Graph, claims: Claims, between: list[Node]) -> None:
    factor = 1.0
    for node in between:
        by, width, height = graph.value(node, "scale_by"), graph.value(node, "width"), graph.value(node, "height")
        if isinstance(by, int | float) and 0 < by <= 16:
            factor *= by
        elif isinstance(width, int) and isinstance(height, int) and (width or height) and "hr_width" not in claims.fields:
            claims.claim("hr_width", width)
            claims.claim("hr_height", height)
        method = str(graph.value(node, "upscale_method"))
        upscaler = (_LATENT_UPSCALERS if "latent" in node.kind.casefold() else _PIXEL_UPSCALERS).get(method)
        loader = graph.source(node, "upscale_model")
        claims.claim("hr_upscaler", model_name(graph.value(loader, "model_name")) or upscaler)
    if "hr_width" not in claims.fields:
        claims.claim("hr_scale", max(1.0, factor))


_PLACES = re.compile(r"\\[()]|[\\\[\]]")
_EMBEDDING = re.compile(r"\bembedding:([\w\-./\\ ]*?[\w\-])(?:\.(?:pt|safetensors|bin))?(?=$|[\s,:)\]])")


def converted(text: str) -> str:
    """A prompt of ComfyUI in our language: its brackets [ ] and single backslashes are plain signs, `embedding:name` is the name."""
    plain = _PLACES.sub(lambda found: found[0] if len(found[0]) == 2 else "\\" + found[0], text)
    return _EMBEDDING.sub(lambda found: re.split(r"[/\\]+", found[1])[-1], plain)
