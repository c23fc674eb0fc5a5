"""Networks in whole jobs: named in a prompt they change the picture as they should, in every combination, and the next job finds the model as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sfumato.engine import conditioning as conditioning_module
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.memory import Loaded
from sfumato.engine.networks.weights import NetworkWeights
from sfumato.engine.reading import Reader
from sfumato.imaging.picture import read_picture
from sfumato.library.hashes import Hashes, network_hash
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelNotFound, PickleRefused, Stopped
from tests.engine.networks.fingerprints import bits, traces
from tests.support.hypernetwork_files import hypernetwork_modules, write_hypernetwork
from tests.support.network_files import write_network
from tests.support.studio import Pixels, SmallFiles, Studio, box_mask, gradient
from tests.support.tiny_models import WIDTH

ENDS = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "conv1", "q_proj", "v_proj", "fc1")
# Two computations of one sum, rounded differently, may differ by a grey level.
ROUNDING = 1
# Levels at which every call shows in the picture of a network that knows nothing.
EVEN: dict[str, Any] = {"sigmas": (12.0, 8.0, 4.0, 0.0), "schedule": "custom"}


@pytest.fixture(scope="module")
def atelier(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio with networks: `moss` and `ash`, `paint` (picture alone), `spin` (OFT), `xl` (for SDXL), `deep/moss`, a hypernetwork `ink`."""
    studio = Studio(SmallFiles(tmp_path_factory.mktemp("studio")), tmp_path_factory.mktemp("data"))
    studio.model()
    small, large, loras = studio.files.modules("sd1"), studio.files.modules("sdxl"), studio.files.root / "loras"
    write_network(small, loras / "moss.safetensors", ends=ENDS, rank=4, strength=1.0)
    write_network(small, loras / "ash.safetensors", ends=ENDS, rank=4, strength=1.0, seed=2)
    write_network(small, loras / "deep" / "moss.safetensors", ends=ENDS, rank=4, strength=1.0, seed=3)
    write_network(small, loras / "paint.safetensors", ends=ENDS, parts=["unet"], strength=1.0, seed=4)
    write_network(small, loras / "words.safetensors", ends=ENDS, parts=["clip_l"], strength=1.0, seed=6)
    write_network(small, loras / "spin.safetensors", "oft", ends=("to_q", "to_k", "to_out.0"), strength=1.0, seed=5)
    write_network(large, loras / "xl.safetensors", ends=ENDS, rank=4, strength=1.0)
    write_network(large, loras / "xl-first.safetensors", ends=ENDS, parts=["clip_l"], strength=1.0)
    write_network(large, loras / "xl-second.safetensors", ends=ENDS, parts=["clip_g"], strength=1.0)
    write_hypernetwork(hypernetwork_modules((WIDTH,)), studio.files.root / "hypernetworks" / "ink.safetensors")
    (loras / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    (loras / "broken.safetensors").write_bytes((loras / "moss.safetensors").read_bytes()[:-100])
    return studio


Remains = tuple[list[dict[str, str]], list[tuple[int, int, bool]]]


def remains(studio: Studio) -> Remains:
    """All there is of the small SD1 model that was loaded: every bit of its weights, every hook and forward."""
    (model,) = (held.model for held in studio.kept.get(Loaded)._models.values() if held.model.checkpoint.path.stem == studio.model())
    parts = [model.unet, model.vae, *(encoder.tower for encoder in model.encoders)]
    return [bits(part) for part in parts], traces(parts)


@pytest.fixture(scope="module")
def untouched(atelier: Studio) -> Remains:
    atelier.paint(steps=1)
    return remains(atelier)


@pytest.fixture(autouse=True)
def _nothing_remains(atelier: Studio, untouched: Remains) -> Iterator[None]:
    """Whatever a test does: afterwards the model is what was loaded."""
    yield
    assert remains(atelier) == untouched


def apart(one: Pixels, other: Pixels) -> int:
    """The largest difference, in grey levels."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.rule("E88", "P36", "E105")
def test_a_lora_changes_the_picture_and_the_next_job_does_not_know_of_it(atelier: Studio) -> None:
    plain = atelier.one(prompt="a red circle")
    changed = atelier.one(prompt="a red circle<lora:moss:1>")
    assert apart(plain, changed) > 8 * ROUNDING
    assert atelier.result.warnings == ()
    assert np.array_equal(atelier.one(prompt="a red circle"), plain)
    assert np.array_equal(atelier.one(prompt="a red circle<lora:moss:1>"), changed)
    assert apart(atelier.one(prompt="a red circle<lora:moss:0.5>"), changed) > ROUNDING
    assert np.array_equal(atelier.one(prompt="a red circle<lora:moss:0>"), plain)


@pytest.mark.rule("P37", "P42")
def test_weights_for_text_and_picture_count_each_on_its_side(atelier: Studio) -> None:
    both, text, picture = (atelier.one(prompt=f"x <lora:moss:{weights}>") for weights in ("1:1", "1:0", "0:1"))
    assert min(apart(both, text), apart(both, picture), apart(text, picture)) > ROUNDING
    assert np.array_equal(atelier.one(prompt="x <lora:moss:1:0>", lora_order="unet_te"), picture)
    assert np.array_equal(atelier.one(prompt="x <lora:moss:unet=0>"), text)
    assert np.array_equal(atelier.one(prompt="x <lora:paint:5:1>"), atelier.one(prompt="x <lora:paint:0:1>"))
    twice = atelier.one(prompt="x <lora:moss:0.5:0.25><lora:moss:0.5:0.75>")
    assert apart(twice, both) <= ROUNDING
    assert apart(atelier.one(prompt="x <lora:moss:1:dyn=2>"), both) > ROUNDING


@pytest.mark.rule("E88", "P42")
def test_several_networks_act_together_in_any_order(atelier: Studio) -> None:
    one = atelier.one(prompt="x <lora:moss:0.7><lora:ash:0.4><lora:spin:0.5>")
    assert np.array_equal(atelier.one(prompt="x <lora:spin:0.5><lora:ash:0.4><lora:moss:0.7>"), one)
    assert apart(atelier.one(prompt="x <lora:moss:0.7><lora:ash:0.4>"), one) > ROUNDING


@pytest.mark.rule("R5", "P39")
def test_R5_block_weights_in_a_tag_scale_each_block(atelier: Studio) -> None:
    whole = atelier.one(prompt="x <lora:paint:1>")
    ones, zeros = ",".join(["1"] * 25), ",".join(["0"] * 17)
    assert np.array_equal(atelier.one(prompt=f"x <lora:paint:1:{ones}>"), whole)
    down, up = "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"
    parts = [atelier.one(prompt=f"x <lora:paint:1:{numbers}>") for numbers in (down, up, zeros)]
    assert all(apart(part, whole) > ROUNDING for part in parts)
    assert apart(parts[0], parts[1]) > ROUNDING
    # BASE is the text encoder.
    assert np.array_equal(atelier.one(prompt=f"x <lora:words:1:lbw={zeros}>"), atelier.one(prompt="x "))


@pytest.mark.rule("P39")
def test_block_weights_of_another_family_count_as_one_and_are_told(atelier: Studio) -> None:
    wanted = atelier.one(prompt="x <lora:paint:1>")
    assert np.array_equal(atelier.one(prompt=f"x <lora:paint:1:lbw={','.join(['0'] * 19)}>"), wanted)
    assert ["block weights" in warning.message for warning in atelier.result.warnings] == [True]


@pytest.mark.rule("R6", "E91", "P41")
def test_R6_a_local_network_changes_its_own_part_alone(atelier: Studio) -> None:
    plain = atelier.one(prompt="a red circle AND a blue square")
    local = atelier.one(prompt="a red circle AND a blue square <@lora:moss:1>")
    everywhere = atelier.one(prompt="a red circle AND a blue square <lora:moss:1>")
    assert min(apart(plain, local), apart(local, everywhere)) > ROUNDING
    # Of weight 0 its part says nothing, and so does its network.
    silent = atelier.one(prompt="a red circle AND a blue square <@lora:moss:1>:0")
    assert np.array_equal(silent, atelier.one(prompt="a red circle AND a blue square :0"))
    # Alone in the prompt it acts on the positive side only; in the negative prompt on that one.
    positive = atelier.one(prompt="a red circle <@lora:moss:1>", negative="a blue square")
    negative = atelier.one(prompt="a red circle ", negative="a blue square<@lora:moss:1>")
    assert apart(positive, negative) > ROUNDING
    assert np.array_equal(atelier.one(prompt="a red circle <@lora:moss:1>", guidance=1), atelier.one(prompt="a red circle <lora:moss:1>", guidance=1))


@pytest.mark.rule("P44")
def test_a_global_tag_in_the_negative_prompt_is_text(atelier: Studio) -> None:
    told = atelier.one(prompt="x", negative="y <lora:moss:1>")
    assert any("is text" in warning.message for warning in atelier.result.warnings)
    assert apart(told, atelier.one(prompt="x", negative="y ")) > ROUNDING


@pytest.mark.rule("R7", "P40", "P25")
@pytest.mark.parametrize("turns_bytes", [1 << 30, 0])
def test_R7_scheduled_weights_act_at_their_calls(atelier: Studio, turns_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atelier.kept.get(NetworkWeights), "turns_bytes", turns_bytes)
    always, never = atelier.one(prompt="x <lora:moss:1>", **EVEN), atelier.one(prompt="x ", **EVEN)
    assert np.array_equal(atelier.one(prompt="x <lora:moss:[0:1:0]>", **EVEN), always)
    assert np.array_equal(atelier.one(prompt="x <lora:moss:[0:1:9]>", **EVEN), never)
    late, early = atelier.one(prompt="x <lora:moss:[0:1:1]>", **EVEN), atelier.one(prompt="x <lora:moss:[1:0:1]>", **EVEN)
    assert min(apart(late, always), apart(late, never), apart(early, always), apart(early, never), apart(late, early)) > ROUNDING
    assert apart(atelier.one(prompt="x <lora:moss:1:start=1>", **EVEN), late) <= ROUNDING
    assert apart(atelier.one(prompt="x [<lora:moss:1>::1]", **EVEN), early) <= ROUNDING
    assert np.array_equal(atelier.one(prompt="x [<lora:moss:1>::1]", tag_schedules=False, **EVEN), always)
    turning = atelier.one(prompt="x [<lora:moss:1>|<lora:ash:1>]", **EVEN)
    assert min(apart(turning, always), apart(turning, never)) > ROUNDING


@pytest.mark.rule("R7", "P40")
def test_R7_a_weight_for_the_highres_pass_is_that_of_its_own_prompt(atelier: Studio) -> None:
    highres: dict[str, Any] = {"hr_scale": 2.0, "hr_steps": 2, "hr_upscaler": "Latent"}
    wanted = atelier.one(prompt="x <lora:moss:0.3>", hr_prompt="x <lora:moss:1>", **highres)
    assert np.array_equal(atelier.one(prompt="x <lora:moss:[0.3:1:HR]>", **highres), wanted)
    assert np.array_equal(atelier.one(prompt="x <lora:moss:0.3:hr=1>", **highres), wanted)
    assert apart(atelier.one(prompt="x <lora:moss:0.3>", **highres), wanted) > ROUNDING
    assert apart(atelier.one(prompt="x <lora:moss:0.3>", hr_prompt="x ", **highres), wanted) > ROUNDING


@pytest.mark.rule("R7", "E88")
def test_R7_both_ways_of_taking_turns_give_the_same_picture(atelier: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "x <lora:moss:[0.3:1:2]> AND y <@lora:spin:[1:0.5:3]> AND [z|w <lora:ash:0.4>]"
    laid = atelier.one(prompt=prompt, steps=5)
    monkeypatch.setattr(atelier.kept.get(NetworkWeights), "turns_bytes", 0)
    assert apart(atelier.one(prompt=prompt, steps=5), laid) <= ROUNDING


@pytest.mark.rule("R24", "P42")
def test_R24_each_picture_of_a_batch_has_its_own_networks(atelier: Studio) -> None:
    prompt = "a {red|blue|green} circle {<lora:moss:1>|<lora:ash:1>|<lora:spin:1>|}"
    together = atelier.paint(prompt=prompt, batch_size=4, seed=10)
    texts = [info["infotext"] for _, _, _, info in atelier.recording.artifacts]
    assert len({text.partition("<")[2].partition(">")[0] for text in texts}) > 1
    for number, picture in enumerate(together):
        assert apart(atelier.one(prompt=prompt, seed=10 + number), picture) <= ROUNDING
    alone = atelier.paint(prompt=prompt, batch_size=4, seed=10, deterministic=True)
    assert all(np.array_equal(atelier.one(prompt=prompt, seed=10 + number, deterministic=True), picture) for number, picture in enumerate(alone))


@pytest.mark.rule("R18", "P43")
def test_R18_a_hypernetwork_of_the_prompt_acts_and_leaves(atelier: Studio) -> None:
    plain, changed = atelier.one(prompt="x "), atelier.one(prompt="x <hypernet:ink:1>")
    assert apart(plain, changed) > ROUNDING
    assert apart(atelier.one(prompt="x <hypernet:ink:0.5>"), changed) > ROUNDING
    assert apart(atelier.one(prompt="x <hypernet:ink:1><lora:moss:1>"), changed) > ROUNDING
    assert np.array_equal(atelier.one(prompt="x "), plain)


COMBINATIONS: dict[str, dict[str, Any]] = {
    "AND": {"prompt": "x AND y:0.7 <@lora:ash:0.5>"},
    "editing": {"prompt": "a [red:blue:2] [circle|square]"},
    "image to image": {"image": gradient(), "strength": 0.7},
    "inpainting": {"image": gradient(), "mask": box_mask((16, 16, 48, 48)), "strength": 0.8},
    "tiling": {"tiling": "both"},
    "pag": {"pag_scale": 2.0, "seg_scale": 1.0},
    "perp-neg": {"guidance_rule": "perp_neg", "negative": "y<@lora:ash:0.5>"},
    "freeu": {"freeu_b1": 1.2, "freeu_s1": 0.8},
    "negative values": {"prompt": "(x:-1) y", "attention_negative": "value"},
    "padded": {"pad_conds": "on", "negative": "a " * 80},
    "highres": {"hr_scale": 2.0, "hr_steps": 1, "hr_prompt": "z <lora:ash:1>"},
    "loops": {"image": gradient(), "loops": 2, "strength": 0.5},
    "batch": {"batch_size": 2},
    "hypernetwork": {"prompt": "x <hypernet:ink:0.5>"},
    "token merging": {"token_merging": 0.5},
}


@pytest.mark.rule("E105")
@pytest.mark.parametrize("name", COMBINATIONS)
def test_networks_act_in_every_combination_and_go(atelier: Studio, name: str) -> None:
    fields = {"prompt": "a red circle", "steps": 2, **COMBINATIONS[name]}
    tagged = {**fields, "prompt": f"<lora:moss:[0.4:0.9:1]><lora:spin:0.5>{fields['prompt']}"}
    before = atelier.paint(**fields)
    changed = atelier.paint(**tagged)
    assert all(apart(one, other) > ROUNDING for one, other in zip(before, changed, strict=True))
    again = atelier.paint(**tagged)
    after = atelier.paint(**fields)
    assert all(np.array_equal(one, other) for one, other in zip(changed + before, again + after, strict=True))


@pytest.mark.rule("E105", "E118")
@pytest.mark.parametrize("at", [("encode", 0), ("encode", 1), ("denoise", 0), ("denoise", 2), ("decode", 0)])
def test_a_cancelled_job_leaves_every_bit(atelier: Studio, at: tuple[str, int]) -> None:
    plain = atelier.one(prompt="fresh words")
    with pytest.raises(Stopped):
        atelier.paint(prompt=f"never said before {at} <lora:moss:[0.2:0.7:1]><lora:spin:1> <hypernet:ink:1>", cancel_at=at)
    assert np.array_equal(atelier.one(prompt="fresh words"), plain)


@pytest.mark.rule("E105")
@pytest.mark.parametrize("where", ["conv_in", "mid_block", "conv_out"])
def test_a_job_that_fails_inside_the_network_leaves_every_bit(atelier: Studio, where: str) -> None:
    plain = atelier.one(prompt="fresh words")
    model = atelier.kept.get(Loaded).latest
    assert model is not None

    def fail(*_: Any) -> None:
        raise ValueError(where)

    handle = model.unet.get_submodule(where).register_forward_hook(fail)
    try:
        with pytest.raises(ValueError, match=where):
            atelier.paint(prompt="x <lora:moss:[0.2:0.7:1]><lora:spin:1><hypernet:ink:1>")
    finally:
        handle.remove()
    assert np.array_equal(atelier.one(prompt="fresh words"), plain)


@pytest.mark.rule("R132", "E88")
def test_R132_another_weight_opens_no_file(atelier: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    atelier.paint(prompt="x <lora:moss:0.4>")
    assert atelier.kept.get(IdleHashing).join(30)
    opened: list[str] = []
    # All ways to a file's content: headers, and whoever reads tensors.
    for place in ("engine.checkpoint.read_header", "engine.networks.file.read_header", "library.words.read_header", "library.hashes.read_header"):
        monkeypatch.setattr(f"sfumato.{place}", lambda path: opened.append(path.name))
    monkeypatch.setattr(Reader, "__enter__", lambda self: opened.append("tensors"))
    atelier.paint(prompt="x <lora:moss:0.6>")
    assert opened == []


@pytest.mark.rule("R133", "E112")
def test_R133_the_same_text_and_networks_are_encoded_once(atelier: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    own = conditioning_module.read_chunk
    monkeypatch.setattr(conditioning_module, "read_chunk", lambda *arguments: calls.append(1) or own(*arguments))

    def encoded(prompt: str) -> int:
        calls.clear()
        atelier.paint(prompt=prompt)
        return len(calls)

    assert encoded("words of their own") == 1
    assert encoded("words of their own<lora:moss:0.51>") == 2  # the empty negative prompt is read with the network, too
    assert encoded("words of their own<lora:moss:0.51>") == 0
    assert encoded("words of their own<lora:moss:0.51:0.9>") == 0
    assert encoded("words of their own<lora:paint:0.5>") == 0
    assert encoded("words of their own<lora:moss:0.61>") == 2
    assert encoded("words of their own") == 0
    assert encoded("words of their own<lora:moss:[0.61:0.71:1]>") == 2


@pytest.mark.rule("P38", "E120")
def test_a_missing_network_is_left_out_and_named_or_refused(atelier: Studio) -> None:
    told = atelier.one(prompt="x<lora:mos:1>")
    assert any("'mos'" in warning.message for warning in atelier.result.warnings)
    assert np.array_equal(told, atelier.one(prompt="x"))
    with pytest.raises(ModelNotFound, match=r"No LoRA named 'mos' .* Closest: 'moss'") as refused:
        atelier.paint(prompt="x<lora:mos:1>", strict_networks=True)
    assert (refused.value.code, refused.value.path) == ("model_not_found", "prompt")
    with pytest.raises(ModelNotFound) as refused:
        atelier.paint(prompt="x", hr_prompt="y <hypernet:nothing>", hr_scale=2.0, strict_networks=True)
    assert refused.value.path == "hr_prompt"
    with pytest.raises(PickleRefused):
        atelier.paint(prompt="x<lora:old:1>", strict_networks=True)
    assert atelier.paint(prompt="x<lora:moss:1>", strict_networks=True)


@pytest.mark.rule("E120", "E87")
def test_a_network_of_another_family_is_refused_before_anything_is_computed(atelier: Studio) -> None:
    with pytest.raises(ModelIncompatible) as refused:
        atelier.paint(prompt="x<lora:xl:1>")
    assert refused.value.path == "prompt"
    assert "xl" in refused.value.message
    assert not any(said.stage in ("encode", "denoise") for said in atelier.recording.progress_made)
    with pytest.raises(CorruptFile):
        atelier.paint(prompt="{x<lora:broken:1>}", dynamic=False)


@pytest.mark.rule("E59")
def test_a_later_model_that_a_network_does_not_fit_does_without_it(atelier: Studio) -> None:
    sdxl, refiner = atelier.model("sdxl"), atelier.model("refiner")
    fields: dict[str, Any] = {"model": sdxl, "refiner": refiner, "refiner_switch_at": 0.5, "steps": 4}
    plain, changed = atelier.one(prompt="x ", **fields), atelier.one(prompt="x <lora:xl:1>", **fields)
    assert apart(plain, changed) > ROUNDING
    assert [warning.code for warning in atelier.result.warnings] == ["network"]
    assert "left out" in atelier.result.warnings[0].message


@pytest.mark.rule("E88", "P39")
def test_sdxl_reads_with_networks_in_both_text_encoders_and_has_lists_of_its_own(atelier: Studio) -> None:
    fields: dict[str, Any] = {"model": atelier.model("sdxl"), "steps": 2}
    tags = ("", "<lora:xl-first:1>", "<lora:xl-second:1>", "<lora:xl:1>", f"<lora:xl:1:lbw={','.join(['0'] * 20)}>")
    made = [atelier.one(prompt=f"x {tag}", **fields) for tag in tags]
    assert all(apart(one, other) > ROUNDING for number, one in enumerate(made[:4]) for other in made[:number])
    assert np.array_equal(made[4], made[0])
    assert atelier.result.warnings == ()


@pytest.mark.rule("R58", "P38", "M23")
def test_R58_two_files_of_one_name_are_two_networks(atelier: Studio) -> None:
    one, other = atelier.one(prompt="x <lora:moss:1>"), atelier.one(prompt="x <lora:deep/moss:1>")
    assert apart(one, other) > ROUNDING
    both = atelier.paint(prompt="x <lora:moss:1><lora:deep/moss:1>")
    assert min(apart(both[0], one), apart(both[0], other)) > ROUNDING
    own = read_picture(atelier.recording.artifacts[-1][2]).own
    assert own is not None
    assert [network["name"] for network in own["resolved"]["networks"]] == ["moss", "deep/moss"]
    assert [model["name"] for model in own["models"] if model["role"] == "lora"] == ["moss", "deep/moss"]


@pytest.mark.rule("M23", "M6")
def test_pictures_carry_their_own_tags_and_the_checksums_of_their_networks(atelier: Studio) -> None:
    fields: dict[str, Any] = {"prompt": "{x|y} {<lora:moss:1>|<lora:ash:1>} {u|v}<hypernet:ink>", "batch_size": 4, "seed": 3}
    atelier.paint(**fields)
    assert atelier.kept.get(IdleHashing).join(30)
    atelier.paint(**fields)
    hashes = Hashes(atelier.places.data)
    named = set()
    for _, _, data, info in atelier.recording.artifacts:
        reading = read_picture(data)
        assert reading.infotext is not None
        name = info["infotext"].partition("<lora:")[2].partition(":")[0]
        named.add(name)
        digits = network_hash(atelier.files.root / "loras" / f"{name}.safetensors", hashes)
        assert digits
        assert f'Lora hashes: "{name}: {digits}"' in info["infotext"]
        assert f"lora:{name}" in reading.hashes
    assert named == {"moss", "ash"}
