"""What is in force at which call: every text encoded once, states shared by the calls that say the same, parts and negatives evened as asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine import conditioning as conditioning_module
from sfumato.engine.areas import area_mask, softened
from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings
from sfumato.engine.family import Model
from sfumato.engine.guidance import GuidedDenoiser, guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.script import ImageTexts, Script, write_script
from sfumato.prompts import PassSpan, PromptOptions, read_prompt
from sfumato.protocol.errors import Invalid, Stopped
from tests.engine.conftest import TinyModel
from tests.engine.guided_sides import noisy


@pytest.fixture(autouse=True)
def _inference() -> Any:
    with torch.inference_mode():
        yield


def texts(positive: str, negative: str = "", **options: Any) -> ImageTexts:
    reading = PromptOptions(**options)
    return ImageTexts(read_prompt(positive, options=reading), read_prompt(negative, options=reading, stream="negative", negative=True))


def written(model: Model, *images: ImageTexts, span: PassSpan | None = None, cache: EncodingCache | None = None, **arguments: Any) -> Script:
    settings = {name: arguments.pop(name) for name in list(arguments) if name in TextSettings.__dataclass_fields__}
    conditioner = Conditioner(model, TextSettings(**settings), EncodingCache() if cache is None else cache)
    return write_script(conditioner, images, span or PassSpan(10), **arguments)


def context(model: Model, text: str) -> torch.Tensor:
    conditioner = Conditioner(model, TextSettings(), EncodingCache())
    return conditioner.encode(read_prompt(text).parts[0].at(0, PassSpan(1))).context


class Spy:
    """A network that records what every image is told at every call, as context tensors."""

    def __init__(self) -> None:
        self.told: list[list[torch.Tensor]] = []

    def prepare(self, rows: Any, batch: int) -> Any:
        return list(rows)

    def __call__(self, x: torch.Tensor, sigma: float, evaluation: Any, moment: Any = None) -> torch.Tensor:
        self.told.append([row.conditioning.context for row in evaluation])
        return torch.cat([x[row.image : row.image + 1] for row in evaluation])


# text, first pass of 10 calls, highres pass of 6: what is said at each call (the table of prompt-language.md, section 11)
TABLE = [
    ("k [m:3]", ["k "] * 4 + ["k m"] * 6, ["k m"] * 6),
    ("[u:v:.5]", ["u"] * 6 + ["v"] * 4, ["v"] * 6),
    ("[u:v:1.5]", ["u"] * 10, ["u"] * 4 + ["v"] * 2),
    ("[u::5]", ["u"] * 6 + [""] * 4, [""] * 6),
    ("[u:v:0]", ["v"] * 10, ["v"] * 6),
    ("[u:v:12]", ["u"] * 10, ["u"] * 3 + ["v"] * 3),
    ("[a:b:HR]", ["a"] * 10, ["b"] * 6),
    ("[a|b|c]", list("aabcabcabc"), list("aabcab")),
    ("[[a|b]:c:4]", list("aabab") + ["c"] * 5, ["c"] * 6),
]


@pytest.mark.rule("R25", "P16", "P17", "P18", "P19", "P21", "P25")
@pytest.mark.parametrize(("text", "first", "second"), TABLE)
@pytest.mark.parametrize("side", ["prompt", "negative"])
def test_R25_the_network_is_told_at_each_call_what_the_table_says(model: Model, text: str, first: list[str], second: list[str], side: str) -> None:
    told = texts(text, "x") if side == "prompt" else texts("x", text)
    for span, said in ((PassSpan(10, 6), first), (PassSpan(10, 6, is_highres=True), second)):
        spy = Spy()
        denoise = GuidedDenoiser(spy, written(model, told, span=span), GuidanceSettings())
        for _ in range(span.calls + 3):
            denoise(noisy(), 1.0)
        own = [call[1 if side == "prompt" else 0] for call in spy.told]
        # Beyond the plan the last state stays (alternation reaches the state of call N)
        for made, expected in zip(own, said, strict=False):
            assert torch.equal(made, context(model, expected))
        assert all(one is own[span.calls] for one in own[span.calls :])


@pytest.mark.rule("P24")
def test_integers_count_calls_of_samplers_that_make_two_a_step(model: Model) -> None:
    # Given five steps of a sampler with call factor 2
    script = written(model, texts("[a:b:3]"), span=PassSpan(5 * 2))
    said = [script.at(call).images[0].positive[0].conditioning.context for call in range(10)]
    assert [torch.equal(one, context(model, "a")) for one in said] == [True] * 4 + [False] * 6


@pytest.mark.rule("P25", "E32", "R133")
def test_every_text_is_encoded_once_for_all_calls_images_and_jobs(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    original = conditioning_module.read_chunk
    monkeypatch.setattr(conditioning_module, "read_chunk", lambda *args: (reads.append(args[1]), original(*args))[1])
    cache = EncodingCache()
    images = [texts("[a|b] on [c:d:5]", "bad") for _ in range(3)]
    said: list[tuple[int, int]] = []
    script = written(model, *images, cache=cache, report=lambda done, total: said.append((done, total)))
    # a, b on c; a, b on d; bad
    assert len(reads) == 5
    assert said == [(done, 5) for done in range(6)]
    assert len(script.states) == 4
    assert all(image is state.images[0] for state in script.states for image in state.images)
    written(model, *images, cache=cache)
    assert len(reads) == 5


@pytest.mark.rule("E118")
def test_a_report_may_stop_the_encoding(model: Model) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        written(model, texts("a", "b"), report=stop)


@pytest.mark.rule("P30")
def test_the_shorter_part_of_an_image_repeats_its_last_vector_but_no_image_pads_another(model: Model) -> None:
    long = "x BREAK y"
    script = written(model, texts(f"a AND {long}", "n"), texts("b", long))
    first, second = script.at(0).images
    short = context(model, "a")
    assert [voice.conditioning.length for voice in first.positive] == [154, 154]
    assert torch.equal(first.positive[0].conditioning.context, torch.cat([short, short[:, -1:].expand(-1, 77, -1)], dim=1))
    assert [first.negative[0].conditioning.length, second.positive[0].conditioning.length, second.negative[0].conditioning.length] == [77, 77, 154]


@pytest.mark.rule("E31", "P65")
@pytest.mark.parametrize(("mode", "lengths"), [("off", (154, 77)), ("on", (154, 154)), ("v0", (154, 154))])
def test_prompt_and_negative_are_evened_only_if_asked_for(model: Model, mode: str, lengths: tuple[int, int]) -> None:
    long, short = "x BREAK y", "n"
    (image,) = written(model, texts(long, short), pad_conds=mode).at(0).images
    towards, away = image.positive[0].conditioning.context, image.negative[0].conditioning.context
    assert (towards.shape[1], away.shape[1]) == lengths
    own = context(model, short)
    behind = {"on": context(model, ""), "v0": own[:, -1:].expand(-1, 77, -1)}
    if mode in behind:
        assert torch.equal(away, torch.cat([own, behind[mode]], dim=1))
    # The other way round v0 cuts the negative, and on extends the prompt
    (image,) = written(model, texts(short, long), pad_conds=mode).at(0).images
    towards, away = image.positive[0].conditioning.context, image.negative[0].conditioning.context
    assert (towards.shape[1], away.shape[1]) == {"off": (77, 154), "on": (154, 154), "v0": (77, 77)}[mode]


@pytest.mark.rule("P63", "E29")
def test_sdxl_takes_zeros_only_for_a_negative_that_is_empty_at_every_call(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")

    def sums(negative: str, **settings: Any) -> list[float]:
        script = written(model, texts("a", negative), **settings)
        made = [script.at(call).images[0].negative[0].conditioning for call in range(10)]
        return [float(one.context.abs().sum() + one.pooled.abs().sum()) for one in made if one.pooled is not None]

    assert sums("") == sums("  ") == [0.0] * 10
    assert all(sums("[bad::5]"))
    assert all(sums("", zero_empty_negative=False))


@pytest.mark.rule("P63")
def test_second_texts_are_read_part_by_part(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    own, other = texts("a AND b AND c:0.5", "n"), texts("x AND y", "m")
    (image,) = written(model, ImageTexts(own.positive, own.negative, other.positive, other.negative)).at(0).images
    contexts = [voice.conditioning.context for voice in (*image.positive, *image.negative)]
    for made, (first, second) in zip(contexts, [("a", "x"), ("b", "y"), ("c", "y"), ("n", "m")], strict=True):
        assert torch.equal(made, torch.cat([context(model, first)[..., :32], context(model, second)[..., 32:]], dim=-1))
    assert [voice.weight for voice in image.positive] == [1, 1, 0.5]


@pytest.mark.rule("P65")
def test_the_negative_is_split_only_if_asked_for(model: Model) -> None:
    assert len(written(model, texts("a", "b AND c:2")).at(0).images[0].negative) == 1
    (image,) = written(model, texts("a", "b AND c:2", negative_and=True)).at(0).images
    assert [voice.weight for voice in image.negative] == [1.0, 2.0]


@pytest.mark.rule("E28", "E119")
def test_weights_that_cancel_are_told_once_with_their_field(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditioning_module, "_SMALLEST_MEAN", 1e9)
    script = written(model, texts("(a:1.2) AND (b:1.3)", "(c:1.4)"))
    assert [(warning.code, warning.path) for warning in script.warnings] == [("emphasis_mean", "prompt"), ("emphasis_mean", "negative")]


@pytest.mark.rule("E56")
def test_the_empty_prompt_is_there_for_rules_that_go_around_it(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1")
    assert written(model, texts("a", "b")).at(0).images[0].empty is None
    (image,) = written(model, texts("a", "b"), with_empty=True).at(0).images
    assert image.empty is not None
    assert torch.equal(image.empty.context, context(model, ""))


# -- areas -----------------------------------------------------------------------------------------


def half_white(width: int = 64, height: int = 32) -> Image.Image:
    values = np.zeros((height, width), np.uint8)
    values[:, : width // 2] = 255
    return Image.fromarray(values)


@pytest.mark.rule("P29")
def test_areas_belong_to_the_parts_behind_the_first(model: Model) -> None:
    mask = area_mask(softened(half_white(), 0, 64), (4, 8), torch.device("cpu"))
    (image,) = written(model, texts("a AND b AND c"), areas=[mask]).at(0).images
    assert [voice.mask is mask for voice in image.positive] == [False, True, False]
    with pytest.raises(Invalid, match="areas 2, such parts 1"):
        written(model, texts("a AND b"), areas=[mask, mask])


@pytest.mark.rule("P29")
def test_areas_are_averaged_over_what_each_value_covers() -> None:
    values = np.random.default_rng(0).integers(0, 256, (30, 50)).astype(np.uint8)
    made = area_mask(softened(Image.fromarray(values), 0, 50), (10, 10), torch.device("cpu"))[0, 0].numpy()
    expected = values.reshape(10, 3, 10, 5).mean((1, 3)) / 255
    np.testing.assert_allclose(made, expected, atol=1e-6)
    # a size that divides nothing keeps the mean, and every value within range
    odd = area_mask(softened(Image.fromarray(values), 0, 50), (7, 9), torch.device("cpu"))
    assert float(odd.mean()) == pytest.approx(values.mean() / 255, abs=1e-5)
    assert 0 <= float(odd.min()) <= float(odd.max()) <= 1


@pytest.mark.rule("R28", "P29")
def test_R28_both_passes_use_the_softened_area(model: Model) -> None:
    picture = half_white(128, 64)
    soft = softened(picture, 8, 64)  # the mask was painted at twice the size of the picture
    first, second = (area_mask(soft, size, torch.device("cpu"))[0, 0].numpy() for size in ((8, 16), (16, 32)))
    np.testing.assert_allclose(second.reshape(8, 2, 16, 2).mean((1, 3)), first, atol=1e-6)
    # Softly from white to black, through grey where the edge was, sigma being 16 px of the mask: two of the first pass's latents
    row = first[4]
    assert row[0] > 0.99
    assert row[-1] < 0.01
    assert (np.diff(row) <= 1e-6).all()
    assert row[7] + row[8] == pytest.approx(1, abs=1e-3)
    assert 0.1 < row[9] < 0.4


@pytest.mark.rule("P28", "P29")
def test_an_area_acts_where_it_is(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1")
    mask = area_mask(softened(half_white(64, 64), 0, 64), (8, 8), torch.device("cpu"))
    x, settings = noisy(), GuidanceSettings(guidance=5.0)
    with guiding(model, written(model, texts("a AND b"), areas=[mask]), settings) as denoise:
        both = denoise(x, 1.0)
    with guiding(model, written(model, texts("a")), settings) as denoise:
        alone = denoise(x, 1.0)
    assert torch.allclose(both[..., 4:], alone[..., 4:], atol=1e-5)
    assert not torch.allclose(both[..., :4], alone[..., :4], atol=1e-3)
