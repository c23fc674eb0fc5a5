"""A ComfyUI graph as it was executed: nodes by number, inputs that are values or links to other nodes. Rule: M17.

Every walk remembers where it was, so that a graph that bites its tail ends. Also turns the drawn graph (`workflow`) of the core nodes into this form.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NODES_AT_MOST = 5000
_PRIMITIVE_INPUTS = (
    "value",
    "int",
    "float",
    "string",
    "text",
    "seed",
    "noise_seed",
    "number",
    "boolean",
    "Value",
    "Number",
    "INT",
    "FLOAT",
    "STRING",
    "populated_text",
)
_HOPS_AT_MOST = 64
# Nodes through which positive and negative run side by side: the output's slot says which.
_SIDES = ("positive", "negative")


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its number, class and inputs."""

    number: str
    kind: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """An output of another node."""

    number: str
    slot: int


class Graph:
    """The nodes of a picture's graph; what is no node is left out."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Node] = {}
        for number, node in list(nodes.items())[:NODES_AT_MOST]:
            if isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs", {}), dict):
                self.nodes[str(number)] = Node(str(number), node["class_type"], node.get("inputs", {}))

    def link(self, node: Node, *names: str) -> Link | None:
        """The first of the named inputs that is a link to a node of this graph."""
        for name in names:
            if (link := self._as_link(node.inputs.get(name))) is not None:
                return link
        return None

    def source(self, node: Node, *names: str) -> Node | None:
        """The node behind the first of the named inputs that is a link."""
        link = self.link(node, *names)
        return self.nodes[link.number] if link else None

    def value(self, node: Node | None, *names: str) -> Any:
        """The first of the named inputs that has a value, followed through primitive nodes; None if there is none."""
        for name in names if node else ():
            found = node.inputs.get(name) if node else None
            for _ in range(_HOPS_AT_MOST):
                link = self._as_link(found)
                if link is None:
                    break
                found = self._primitive(self.nodes[link.number])
            else:
                found = None
            if isinstance(found, str | int | float):
                return found
        return None

    def text(self, node: Node, *names: str) -> str:
        """Text inputs, followed through nodes that pass or join texts; texts of several inputs are joined by blanks."""
        texts, seen = [], set[tuple[str, str]]()
        waiting: deque[tuple[Node, str]] = deque((node, name) for name in names)
        while waiting:
            at, name = waiting.popleft()
            if (at.number, name) in seen:
                continue
            seen.add((at.number, name))
            found = at.inputs.get(name)
            if (link := self._as_link(found)) is not None:
                source = self.nodes[link.number]
                waiting.extendleft((source, key) for key in reversed(_text_inputs(source)))
            elif isinstance(found, str):
                texts.append(found)
        return " ".join(filter(None, texts))

    def upstream(self, node: Node, *names: str) -> Iterator[Node]:
        """The nodes behind the named inputs, nearest first, going on through inputs of the same names."""
        seen = {node.number}
        waiting = deque([node])
        while waiting:
            at = waiting.popleft()
            for name in names:
                source = self.source(at, name)
                if source is not None and source.number not in seen:
                    seen.add(source.number)
                    waiting.append(source)
                    yield source

    def distances(self, from_nodes: list[Node]) -> dict[str, int]:
        """How many links each node is behind the nearest of some nodes."""
        found = {node.number: 0 for node in from_nodes}
        waiting = deque(from_nodes)
        while waiting:
            at = waiting.popleft()
            for given in at.inputs.values():
                link = self._as_link(given)
                if link is not None and link.number not in found:
                    found[link.number] = found[at.number] + 1
                    waiting.append(self.nodes[link.number])
        return found

    def ends(self) -> list[Node]:
        """The nodes that save or show pictures; without any, those that nobody reads."""
        saving = [node for node in self.nodes.values() if "save" in node.kind.casefold() and "image" in node.kind.casefold()]
        showing = [node for node in self.nodes.values() if "preview" in node.kind.casefold()]
        if saving or showing:
            return saving or showing
        read = {link.number for node in self.nodes.values() for given in node.inputs.values() if (link := self._as_link(given))}
        return [node for node in self.nodes.values() if node.number not in read]

    def conditioning(self, link: Link | None, encode: Callable[[Node, str], str]) -> str:
        """The text of a conditioning: joins become AND (combined) and BREAK (concatenated), zeroed ones are empty.

        Args:
            encode: the text of a node that has one, given the side ("positive" or "negative") it was reached as.
        """
        parts, seen = list[str](), set[Link]()
        waiting = deque([(link, "")] if link else [])
        while waiting and len(seen) < NODES_AT_MOST:
            at, joint = waiting.popleft()
            if at in seen:
                continue
            seen.add(at)
            node = self.nodes[at.number]
            side = _SIDES[at.slot] if at.slot < len(_SIDES) and self.link(node, *_SIDES) else ""
            if "zeroout" in node.kind.casefold().replace("_", ""):
                continue
            text = encode(node, side)
            if text:
                parts += [joint, text] if parts else [text]
                continue
            word = "BREAK" if "concat" in node.kind.casefold() else "AND"
            inputs = [side] if side else _conditioning_inputs(node)
            behind = [found for name in inputs if (found := self.link(node, name))]
            waiting.extendleft(reversed([(found, word if index else joint or word) for index, found in enumerate(behind)]))
        return " ".join(filter(None, parts))

    def _as_link(self, given: object) -> Link | None:
        if (
            isinstance(given, list)
            and len(given) == 2
            and isinstance(given[0], str | int)
            and isinstance(given[1], int)
            and given[1] >= 0
            and str(given[0]) in self.nodes
        ):
            return Link(str(given[0]), given[1])
        return None

    def _primitive(self, node: Node) -> Any:
        for name in _PRIMITIVE_INPUTS:
            if name in node.inputs:
                return node.inputs[name]
        return None


def _text_inputs(node: Node) -> list[str]:
    """Inputs of a node that passes or joins texts."""
    known = [
        name for name in node.inputs if name in _PRIMITIVE_INPUTS or "text" in name.casefold() or "string" in name.casefold() or "prompt" in name.casefold()
    ]
    # A node that shows its result keeps it as an input of its own; the executed text is then the last one.
    return ["populated_text"] if "populated_text" in known else known


def _conditioning_inputs(node: Node) -> list[str]:
    return [name for name in node.inputs if "conditioning" in name.casefold() or name.casefold() in (*_SIDES, "cond")]


# Values of the drawn graph stand in this order; "" is one that is not executed (what happens to the seed after a run).
_WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler", "start_at_step", "end_at_step", "return_with_leftover_noise",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "", "cfg"),
    "RandomNoise": ("noise_seed", ""),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "VAELoader": ("vae_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "CLIPTextEncode": ("text",),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "ImageScale": ("upscale_method", "width", "height", "crop"),
    "ImageScaleBy": ("upscale_method", "scale_by"),
    "UpscaleModelLoader": ("model_name",),
    "PrimitiveNode": ("value",),
}  # fmt: skip


def executed(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """A drawn graph as an executed one: values of the core nodes by name, links by the numbers of the nodes they come from."""
    links = {}
    for link in workflow.get("links", ()) if isinstance(workflow.get("links"), list) else ():
        if isinstance(link, list) and len(link) >= 3 and isinstance(link[0], int):
            links[link[0]] = [str(link[1]), link[2]]
    nodes: dict[str, Any] = {}
    for node in workflow.get("nodes", ()) if isinstance(workflow.get("nodes"), list) else ():
        if not isinstance(node, dict) or not isinstance(node.get("type"), str) or node.get("mode") in (2, 4):  # muted, bypassed
            continue
        values = node.get("widgets_values")
        inputs: dict[str, Any] = {}
        if isinstance(values, list):
            inputs = {name: value for name, value in zip(_WIDGETS.get(node["type"], ()), values, strict=False) if name}
        elif isinstance(values, dict):
            inputs = dict(values)
        for given in node.get("inputs", ()) if isinstance(node.get("inputs"), list) else ():
            if isinstance(given, dict) and isinstance(given.get("name"), str) and isinstance(given.get("link"), int) and given["link"] in links:
                inputs[given["name"]] = links[given["link"]]
        nodes[str(node.get("id"))] = {"class_type": node["type"], "inputs": inputs}
    return nodes
