"""The texts of a job's pictures: for each one what is read in the first pass and its loops, in the highres pass and while noise is sought.

Every picture chooses among {a|b} and __wildcards__ by its own seed, so that image k of a batch says what a single image of seed + k says (P55).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import fields

from sfumato.engine.loopback import caption_of, joined
from sfumato.engine.noise import ImageSeed
from sfumato.engine.passes import Pass
from sfumato.engine.script import ImageTexts
from sfumato.prompts import Embedding, Library, Prompt, PromptOptions, Reader
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

# Stream of choices -> the request's field that the text is from.
_FIELDS = {
    "positive": "prompt",
    "negative": "negative",
    "positive_2": "prompt_2",
    "negative_2": "negative_2",
    "highres": "hr_prompt",
    "highres_negative": "hr_negative",
    "alternative": "alternative_prompt",
    "alternative_negative": "alternative_negative",
}


def prompt_options(request: Generate) -> PromptOptions:
    """The request's switches of the prompt language."""
    names = [field.name for field in fields(PromptOptions) if field.name in type(request).model_fields]
    return PromptOptions(**{name: getattr(request, name) for name in names})


class JobTexts:
    """Reads the texts of one job; equal texts are read once."""

    def __init__(self, request: Generate, library: Library) -> None:
        self._request = request
        self._reader = Reader(prompt_options(request), library)
        self._looked_at: set[int] = set()  # hashes of texts: a long job has many
        self.warnings: list[JobWarning] = []  # what was named in the texts read so far and is not to be had

    @property
    def embeddings(self) -> Sequence[Embedding]:
        """All that the texts may name."""
        return self._reader.library.embeddings()

    def of(self, plan: Pass, seed: ImageSeed, index: int) -> ImageTexts:
        """What picture `index` of the job is told in a pass."""
        return self.highres(seed, index) if plan.kind == "highres" else self.first(seed, index, plan.loop)

    def of_tiles(self, plan: Pass, seed: ImageSeed, index: int) -> tuple[ImageTexts, ...]:
        """What is told of each tile that has a caption, in their order."""
        if plan.grid is None or not any(self._request.tile_captions):
            return ()
        return tuple(self.captioned(caption, plan.kind == "highres").of(plan, seed, index) for caption in self._request.tile_captions)

    def all_of(self, plan: Pass, seed: ImageSeed, index: int) -> tuple[ImageTexts, ...]:
        """All that is told in a pass."""
        return (self.of(plan, seed, index), *self.of_tiles(plan, seed, index))

    def captioned(self, caption: str, is_highres: bool) -> JobTexts:
        """The same with a caption behind the prompts that a pass reads."""
        other = copy(self)
        request = self._request
        names = ("hr_prompt",) if is_highres and request.hr_prompt else ("prompt", "prompt_2") if request.prompt_2 else ("prompt",)
        other._request = request.model_copy(update={name: joined(getattr(request, name), caption) for name in names})
        return other

    def first(self, seed: ImageSeed, index: int, loop: int = 0) -> ImageTexts:
        request = self._request
        return ImageTexts(
            self._read("positive", caption_of(request.prompt, request.loop_caption, loop), seed, index),
            self._read("negative", request.negative, seed, index),
            self._second("positive_2", caption_of(request.prompt_2, request.loop_caption, loop if request.prompt_2 else 0), seed, index),
            self._second("negative_2", request.negative_2, seed, index),
        )

    def highres(self, seed: ImageSeed, index: int) -> ImageTexts:
        """The first pass's texts where the highres pass has none of its own."""
        request, first = self._request, self.first(seed, index, self._request.loops - 1)
        return ImageTexts(
            self._read("highres", request.hr_prompt, seed, index) if request.hr_prompt else first.positive,
            self._read("highres_negative", request.hr_negative, seed, index) if request.hr_negative else first.negative,
            None if request.hr_prompt else first.positive_2,
            None if request.hr_negative else first.negative_2,
        )

    def inverted(self, seed: ImageSeed, index: int) -> ImageTexts:
        """What the picture shows as it is."""
        request = self._request
        return ImageTexts(
            self._read("alternative", request.alternative_prompt, seed, index) if request.alternative_prompt else self.first(seed, index).positive,
            self._read("alternative_negative", request.alternative_negative, seed, index),
        )

    def _second(self, stream: str, text: str, seed: ImageSeed, index: int) -> Prompt | None:
        return self._read(stream, text, seed, index) if text else None

    def _read(self, stream: str, text: str, seed: ImageSeed, index: int) -> Prompt:
        chosen_by = seed.seed if self._request.wildcard_seed == -1 else self._request.wildcard_seed
        is_negative = "negative" in stream
        path = self._path(stream, text, index) if self._request.all_combinations else None
        prompt = self._reader.read(text, stream=stream, seed=chosen_by, image_index=index, negative=is_negative, styles=self._request.styles, path=path)
        if (key := hash((stream, prompt.text))) not in self._looked_at:
            self._looked_at.add(key)
            known = {warning.message for warning in self.warnings}
            self.warnings += [JobWarning(code="prompt", message=sentence, path=_FIELDS[stream]) for sentence in prompt.losses if sentence not in known]
        return prompt

    def _path(self, stream: str, text: str, index: int) -> tuple[int, ...]:
        """The choices of image `index` where all are enumerated: through those of the negative text, then on to the positive's next (P56)."""
        request = self._request
        images = request.batch_size * request.batch_count

        def paths(text: str, negative: bool) -> list[tuple[int, ...]]:
            return self._reader.combinations(text, images, negative=negative, styles=request.styles)

        if stream == "positive":
            index //= len(paths(request.negative, True))
        own = paths(text, "negative" in stream)
        return own[index % len(own)]


def wording_key(texts: Sequence[ImageTexts]) -> tuple[str, ...]:
    """Equal for pictures that are told the same."""
    prompts = (prompt for each in texts for prompt in (each.positive, each.negative, each.positive_2, each.negative_2))
    return tuple("" if prompt is None else f"={prompt.text}" for prompt in prompts)
