"""Image prompt adapters and image encoders as kinds of control models: recognised by their headers, and what stands beside them. No torch before loading."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.engine.control.files import ControlFile, Shape, folder_names, open_control
from sfumato.engine.image_prompts import shapes
from sfumato.engine.image_prompts.names import vision_places
from sfumato.engine.image_prompts.weighting import block_weights
from sfumato.engine.layouts.place import Place
from sfumato.library.models import FOLDERS, IMAGE_ENCODER, locate, scan
from sfumato.protocol.errors import Invalid, ModelNotFound, Problem, SfumatoError
from sfumato.protocol.requests.control import ControlUnit

if TYPE_CHECKING:
    from sfumato.engine.family import Model
    from sfumato.engine.reading import Reader

# What an adapter reads -> the published encoder that gives it, and where people get that.
_PUBLISHED: Mapping[tuple[shapes.Reads, int], str] = {
    ("embedding", 1024): "CLIP-ViT-H-14-laion2B-s32B-b79K",
    ("tokens", 1280): "CLIP-ViT-H-14-laion2B-s32B-b79K",
    ("embedding", 1280): "CLIP-ViT-bigG-14-laion2B-39B-b160k",
    ("tokens", 1664): "CLIP-ViT-bigG-14-laion2B-39B-b160k",
    ("embedding", 768): "clip-vit-large-patch14",
    ("tokens", 1024): "clip-vit-large-patch14",
}
# Attentions to the text and width of the text of the published networks -> place in the row of families: with a vector beside the text or without.
_NETWORKS = {(16, 768): False, (70, 2048): True}


@dataclass(frozen=True)
class ImagePromptKind:
    """Adapters of the IP-Adapter project: plain, plus, face and full face."""

    title: str = "IP-Adapter"
    needs_base: bool = False
    combines: bool = True

    def matches(self, keys: Collection[str]) -> bool:
        return any(key.startswith(shapes.PAIRS) for key in keys)

    def places(self, keys: Collection[str]) -> Mapping[str, Place]:
        return {key: Place(key) for key in keys if key.startswith((shapes.PROJECTION, shapes.PAIRS))}

    def shape(self, file: ControlFile) -> shapes.AdapterShape:
        return shapes.adapter_shape(file)

    def family(self, file: ControlFile) -> str:
        from sfumato.engine.control.shapes import family_by_vector

        shape = shapes.adapter_shape(file)
        has_vector = _NETWORKS.get((len(shape.widths), shape.context_width))
        return "" if has_vector is None else family_by_vector(has_vector)

    def check(self, file: ControlFile, unit: ControlUnit, path: str) -> None:
        block_weights(unit, None, path)
        shapes.adapter_shape(file)

    def likeness(self, model: Model) -> Hashable:
        from sfumato.engine.image_prompts.attention import cross_attentions  # late: imports torch

        return tuple(cross_attentions(model.unet))

    def beside(self, file: ControlFile, unit: ControlUnit, folders: Sequence[Path], path: str) -> ControlFile:
        """The image encoder: the one that is named, else the first of the width that the adapter reads.

        Raises `ModelNotFound` naming the file wanted, `Invalid` for one of another width, and the errors of `locate` and `open_control`.
        """
        shape, field = shapes.adapter_shape(file), f"{path}.encoder"
        if unit.encoder:
            found = open_encoder(_located(folders, unit.encoder, field))
            if not shapes.encoder_shape(found).serves(shape):
                sentence = f"'{file.name}' reads pictures of width {shape.picture_width}, which '{found.name}' does not make: choose another image encoder."
                raise Invalid([Problem(field, sentence)])
            return found
        for entry in scan(folders, IMAGE_ENCODER):
            if entry.kind != "safetensors":
                continue
            try:
                found = open_encoder(entry.path)
                if shapes.encoder_shape(found).serves(shape):
                    return found
            except SfumatoError:
                continue  # another one may serve
        raise ModelNotFound(IMAGE_ENCODER, "", path=field, remedy=_remedy(file, shape))

    def load(self, file: ControlFile, model: Model, reader: Reader, beside: Any = None) -> Any:
        from sfumato.engine.image_prompts.loading import load_adapter  # late: imports torch

        return load_adapter(file, model, reader, beside)


@dataclass(frozen=True)
class ImageEncoderKind:
    """CLIP's vision transformers, in the layouts of transformers and of OpenCLIP."""

    title: str = "image encoder"
    needs_base: bool = False
    combines: bool = False

    def matches(self, keys: Collection[str]) -> bool:
        return "vision_model.embeddings.class_embedding" in keys or "visual.class_embedding" in keys

    def places(self, keys: Collection[str]) -> Mapping[str, Place]:
        return vision_places(keys)

    def shape(self, file: ControlFile) -> Shape:
        raise TypeError("An image encoder acts on no network.")

    def family(self, file: ControlFile) -> str:
        return ""

    def check(self, file: ControlFile, unit: ControlUnit, path: str) -> None:
        """It is chosen by no unit as its model."""

    def likeness(self, model: Model) -> Hashable:
        return None

    def beside(self, file: ControlFile, unit: ControlUnit, folders: Sequence[Path], path: str) -> None:
        return None

    def load(self, file: ControlFile, model: Model, reader: Reader, beside: Any = None) -> Any:
        from sfumato.engine.image_prompts.loading import load_encoder  # late: imports torch

        return load_encoder(file, model, reader)


ENCODER = ImageEncoderKind()


def open_encoder(path: Path) -> ControlFile:
    """The header of an image encoder. Raises the errors of `open_control`."""
    return open_control(path, (ENCODER,))


def _located(folders: Sequence[Path], name: str, field: str) -> Path:
    """The file of a name; the name of a folder means the weights in it."""
    try:
        return locate(folders, name, IMAGE_ENCODER, field)
    except SfumatoError as error:
        for inside in folder_names(name):
            try:
                return locate(folders, inside, IMAGE_ENCODER, field)
            except ModelNotFound:
                continue
        raise error from None


def _remedy(file: ControlFile, shape: shapes.AdapterShape) -> str:
    folder = f"models/{FOLDERS[IMAGE_ENCODER][0]}"
    what = "embeddings" if shape.reads == "embedding" else "tokens"
    published = _PUBLISHED.get((shape.reads, shape.picture_width))
    if published is None:
        return f"'{file.name}' reads {what} of width {shape.picture_width}: put the image encoder it was made with into {folder}."
    return f"'{file.name}' reads what {published} makes of a picture: put {published}.safetensors into {folder}; people get it where IP-Adapters are published."
