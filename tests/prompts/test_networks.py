"""Network tags: what is one, what its numbers mean, where it acts and when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import Embedding, EmptyLibrary, Network, NetworkIndex, NetworkRecord, PassSpan, Prompt, PromptOptions, clip_tokenizer, read_prompt
from sfumato.prompts.blocks import LISTS, PRESETS
from sfumato.prompts.networks import find_tags

TEN = PassSpan(10)
LIBRARY = EmptyLibrary(
    loras=NetworkIndex(
        [
            NetworkRecord("x"),
            NetworkRecord("people/Ann", output_name="ann-v2", sha256="0123456789abcdef" * 4),
            NetworkRecord("a/twin"),
            NetworkRecord("b/twin"),
            NetworkRecord("xl", unfit="'xl' is made for SDXL, the model is SD 1."),
            NetworkRecord("bundle", embeddings=(Embedding("mossy", 2, "m"),)),
        ]
    ),
    hypernets=NetworkIndex([NetworkRecord("ink"), NetworkRecord("oil")]),
    presets={"MINE": ",".join(["0.25"] * 26)},
)


def read(text: str, **more: object) -> Prompt:
    return read_prompt(text, library=LIBRARY, **more)  # type: ignore[arg-type]


def acting(text: str, call: int = 0, span: PassSpan = TEN, **more: object) -> list[tuple[str, float, float]]:
    return [(network.name, network.te, network.unet) for network in read(text, **more).networks_at(call, span)]


def one(text: str, call: int = 0, span: PassSpan = TEN) -> Network:
    (network,) = read(text).networks_at(call, span)
    return network


def marked(text: str, **more: object) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.message) for span in read(text, **more).spans if span.message]


@pytest.mark.rule("P36", "R19")
@pytest.mark.parametrize(
    "text", [">_<, <3", "a < b", "a <b> c", "<lora>", "<lora:>", "<lora:x", "< lora:x>", "<lo-ra:x>", "<:x>", "<@:x>", r"\<lora:x:1>", "x > y"]
)
def test_what_is_no_tag_stays_text(text: str) -> None:
    prompt = read(text)
    assert prompt.parts[0].text == text
    assert prompt.tags == ()


@pytest.mark.rule("P36")
def test_tags_are_taken_out_whatever_their_type() -> None:
    prompt = read(">_<, <3, <foo:1><lyco:x> a<lora:x:0.5>b")
    assert prompt.parts[0].text == ">_<, <3,  ab"
    assert [(tag.kind, tag.name) for tag in prompt.tags] == [("lora", "x"), ("lora", "x")]
    assert prompt.text == ">_<, <3, <foo:1><lyco:x> a<lora:x:0.5>b"  # the tags are kept for metadata
    assert marked("<foo:1>")[0][0] == "<foo:1>"
    assert "no network type 'foo'" in marked("<foo:1>")[0][1]


@pytest.mark.rule("P37")
@pytest.mark.parametrize(
    ("tag", "te", "unet", "rank"),
    [
        ("<lora:x>", 1, 1, None),
        ("<lora:x:0.8>", 0.8, 0.8, None),
        ("<lora:x:0.8:0.5>", 0.8, 0.5, None),
        ("<lora:x:0.8:0.5:16>", 0.8, 0.5, 16),
        ("<lora:x:unet=0.5>", 1, 0.5, None),
        ("<lora:x:te=0.5>", 0.5, 0.5, None),
        ("<lora:x:clip=0.5:unet=0.25:dyn=8>", 0.5, 0.25, 8),
        ("<lora:x:unet=0.25:0.75>", 0.75, 0.25, None),
        ("<lora: x : - 0 . 5 >", -0.5, -0.5, None),
        ("<lora:x:a1>", 1, 1, None),
        ("<lora:x:1e-1>", 0.1, 0.1, None),
        ("<lora:x:1e9999>", 1e6, 1e6, None),
    ],
)
def test_numbers_of_a_tag(tag: str, te: float, unet: float, rank: int | None) -> None:
    network = one(tag)
    assert (network.te, network.unet, network.rank) == (pytest.approx(te), pytest.approx(unet), rank)


@pytest.mark.rule("P37", "P3")
def test_bad_numbers_and_unknown_words_are_marked() -> None:
    assert marked("<lora:x:a1>") == [("a1", "This is no number such as 0.8: 1 is taken instead.")]
    assert marked("<lora:x:weight=1>")[0][0] == "weight=1"
    assert marked("<lora:x:start=soon>")[0][0] == "soon"
    assert marked("<lora:x:7>")[0][1].startswith("The weight is outside -3 to 3")
    assert marked("<lora:x:1>") == []
    assert marked("<lora:x:1:1:16> <lora:x:dyn=16>") == []


@pytest.mark.rule("P37")
def test_start_stop_and_the_weight_of_the_highres_pass() -> None:
    assert [bool(acting("<lora:x:1:start=3:stop=0.5>", call)) for call in range(10)] == [False] * 4 + [True] * 2 + [False] * 4
    tag = "<lora:x:0.5:hr=0.25>"
    assert acting(tag, 0, PassSpan(10, 10)) == [("x", 0.5, 0.5)]
    assert acting(tag, 0, PassSpan(10, 10, True)) == [("x", 0.25, 0.25)]
    assert acting("<lora:x:stop=HR>", 9, PassSpan(10, 10)) == [("x", 1, 1)]
    assert acting("<lora:x:stop=HR>", 0, PassSpan(10, 10, True)) == []


@pytest.mark.rule("P65")
def test_the_order_of_the_two_numbers_is_a_switch() -> None:
    other = PromptOptions(lora_order="unet_te")
    assert acting("<lora:x:0.8:0.5>", options=other) == [("x", 0.5, 0.8)]
    assert acting("<lora:x:0.8>", options=other) == [("x", 0.8, 0.8)]


@pytest.mark.rule("P38")
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("x", "x"), ("Ann", "people/Ann"), ("people/Ann", "people/Ann"), ("people\\Ann", "people/Ann"), ("ann-v2", "people/Ann"), ("01234567", "people/Ann"),
        ("0123456789ABCDEF", "people/Ann"), ("ANN", "people/Ann"), ("twin", "a/twin"), ("b/twin", "b/twin"),
    ],
)  # fmt: skip
def test_a_file_is_found_by_all_its_names(name: str, path: str) -> None:
    found = LIBRARY.loras.find(name)
    assert found is not None
    assert found.record.path == path


@pytest.mark.rule("P38", "P3")
def test_ambiguous_and_missing_files_are_named() -> None:
    assert marked("<lora:twin>") == [("twin", "'twin' means 2 files: 'a/twin' is taken. Write its folder too.")]
    prompt = read("<lora:nobody:1> <lora:xl> <lora:0123456> <lora:x>")
    assert [tag.name for tag in prompt.missing] == ["nobody", "xl", "0123456"]
    assert [network.name for network in prompt.networks_at(0, TEN)] == ["x"]
    assert marked("<lora:xl>") == [("xl", "'xl' is made for SDXL, the model is SD 1. It is left out.")]


@pytest.mark.rule("P37")
def test_names_may_hold_brackets() -> None:
    for text, name in (("<lora:a[b:0.5>", "a[b"), ("<lora:[old] moss (v1.2):0.5>", "[old] moss (v1.2)"), ("<lora:a]b:0.5>", "a]b")):
        (tag,) = read(text).tags
        assert tag.name == name


@pytest.mark.rule("P39")
def test_block_lists_of_every_length() -> None:
    for length, (layout, names) in LISTS.items():
        assert len(names) == length
        blocks = one(f"<lora:x:1:lbw={','.join(str(number) for number in range(1, length + 1))}>").blocks
        assert blocks is not None
        assert blocks.layout == layout
        assert len(blocks.blocks) == (25 if layout == "sd" else 19)
    by_name = dict(one(f"<lora:x:lbw={','.join(map(str, range(1, 18)))}>").blocks.blocks)  # type: ignore[union-attr]
    assert [by_name[name] for name in ("IN00", "IN01", "IN04", "M00", "OUT02", "OUT03", "OUT11")] == [0, 2, 4, 8, 0, 9, 17]
    by_level = dict(one("<lora:x:lbw=1,2,3,4,5,6,7,8,9>").blocks.blocks)  # type: ignore[union-attr]
    assert [by_level[name] for name in ("IN00", "IN03", "IN04", "IN11", "M00", "OUT00", "OUT02", "OUT03", "OUT11")] == [1, 1, 2, 4, 5, 6, 6, 7, 9]
    assert one("<lora:x:0.5:lbw=" + ",".join(["0.5"] * 26) + ">").te == 0.25  # the first of 26 is the text encoder's


@pytest.mark.rule("P39")
def test_presets_and_lists_in_any_slot() -> None:
    middle = one("<lora:x:1:lbw=MIDD>").blocks
    assert middle is not None
    assert dict(middle.blocks)["M00"] == 1
    assert dict(middle.blocks)["OUT11"] == 0
    for tag in ("<lora:x:MIDD>", "<lora:x:1:1:MIDD>", f"<lora:x:1:{PRESETS['MIDD']}>", "<lora:x: MIDD >"):
        assert one(tag).blocks == middle, tag
    network = one(f"<lora:x:{PRESETS['ALL']}:0.5>")  # a list first, then the text encoder's weight
    assert (network.te, network.unet) == (0.5, 1)
    mine = one("<lora:x:MINE>").blocks
    assert mine is not None
    assert mine.base == 0.25


@pytest.mark.rule("P39", "P3")
def test_a_list_of_the_wrong_length_is_marked_and_weighs_one() -> None:
    assert one("<lora:x:lbw=1,2,3>").blocks is None
    assert "has 3 numbers" in marked("<lora:x:lbw=1,2,3>")[0][1]
    assert "no preset" in marked("<lora:x:lbw=NOPE>")[0][1]
    text = f"<lora:x:{','.join(['one'] * 17)}>"
    assert "no number" in marked(text)[0][1]
    assert set(dict(one(text).blocks.blocks).values()) == {0, 1}  # type: ignore[union-attr]


@pytest.mark.rule("P40")
def test_numbers_and_lists_follow_schedules() -> None:
    assert [acting("<lora:x:[0:1:3]>", call)[0][1:] for call in (0, 3, 4, 9)] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    assert [acting("<lora:x:[0.8:3]>", call)[0][1] for call in (3, 4)] == [0, 0.8]
    assert [acting("<lora:x:0.5:[1|0.2]>", call)[0][1:] for call in (1, 2, 3)] == [(0.5, 1), (0.5, 0.2), (0.5, 1)]
    assert acting("<lora:x:[0.5:1:HR]>", 9, PassSpan(10, 10)) == [("x", 0.5, 0.5)]
    assert acting("<lora:x:[0.5:1:HR]>", 0, PassSpan(10, 10, True)) == [("x", 1, 1)]
    lists = [one(f"<lora:x:lbw=[{PRESETS['NONE']}:ALL:4]>", call).blocks for call in (4, 5)]
    assert [dict(blocks.blocks)["M00"] for blocks in lists if blocks] == [0, 1]
    assert marked("<lora:x:[0:1:3]> <lora:x:lbw=[NONE:ALL:4]>") == []
    assert marked("<lora:x:[0:b:3]>") == [("[0:b:3]", "This is no number such as 0.8: 1 is taken instead.")]
    assert acting("<lora:x:[0:b:3]>")[0][1] == 1


@pytest.mark.rule("P40")
def test_a_tag_inside_a_schedule_acts_on_its_side_only() -> None:
    text = "[a<lora:x:1>:b:3] [<lora:Ann:1>c|d]"
    assert [[name for name, *_ in acting(text, call)] for call in (0, 2, 3, 4, 5)] == [["x", "Ann"], ["x"], ["x", "Ann"], [], ["Ann"]]
    assert read(text).parts[0].at(0, TEN).text == "a c"
    assert [acting("[<lora:x:1>:3]", call) for call in (3, 4)] == [[], [("x", 1, 1)]]
    always = PromptOptions(tag_schedules=False)
    assert [len(acting(text, call, options=always)) for call in range(10)] == [2] * 10


@pytest.mark.rule("P40")
def test_phases_are_cut_where_a_network_changes() -> None:
    phases = read("cat <lora:x:[0:1:3]>").phases(TEN)
    assert [(phase.first, phase.last, phase.networks[0].unet) for phase in phases] == [(0, 3, 0), (4, 9, 1)]
    assert phases[0].wordings == phases[1].wordings


@pytest.mark.rule("P41")
def test_local_tags_act_on_their_part_and_global_ones_everywhere() -> None:
    prompt = read("<@lora:x:1> a AND <@lora:Ann:0.5>b <lora:twin> AND c<@lora:x:[0:1:3]>")
    assert [[network.name for network in part.at(9, TEN).networks] for part in prompt.parts] == [["x"], ["Ann"], ["x"]]
    assert [network.name for network in prompt.networks_at(0, TEN)] == ["twin"]
    assert [prompt.parts[2].at(call, TEN).networks[0].te for call in (0, 9)] == [0, 1]
    assert prompt.parts[2].at(0, TEN) != prompt.parts[2].at(9, TEN)
    negative = read("bad <@lora:x:0.5>", negative=True)
    assert [network.te for network in negative.parts[0].at(0, TEN).networks] == [0.5]


@pytest.mark.rule("P42")
def test_a_network_named_twice_has_the_sum_of_its_weights() -> None:
    assert acting("<lora:x:0.5> <lora:x:0.25:1>") == [("x", 0.75, 1.5)]
    assert acting("<lora:Ann:0.5> AND <lora:ann-v2:0.25>") == [("Ann", 0.75, 0.75)]  # one file, whatever it is called
    assert len(acting("<lora:x:0.5> <lora:x:0.5:lbw=MIDD>")) == 2


@pytest.mark.rule("P43")
def test_hypernetworks_are_chained_as_written() -> None:
    assert acting("<hypernet:oil:0.5> <hypernet:ink>") == [("oil", 0, 0.5), ("ink", 0, 1)]


@pytest.mark.rule("P44", "P3")
def test_a_tag_in_the_negative_prompt_is_text() -> None:
    prompt = read("bad <lora:x:1>", negative=True)
    assert prompt.parts[0].text == "bad <lora:x:1>"
    assert prompt.networks_at(0, TEN) == ()
    assert marked("bad <lora:x:1>", negative=True)[0][0] == "<lora:x:1>"


@pytest.mark.rule("P47")
def test_a_networks_own_embeddings_are_known_while_its_tag_is_there() -> None:
    tokens = clip_tokenizer().encode("a mossy cat")
    assert list(read("a mossy cat").embeddings(clip_tokenizer()).cut(tokens)) == tokens
    found = list(read("a mossy cat <lora:bundle>").embeddings(clip_tokenizer()).cut(tokens))
    assert [word.name for word in found if isinstance(word, Embedding)] == ["mossy"]


SIGNS = st.lists(
    st.sampled_from(
        ["<", ">", "lora", "hypernet", "<lora:", "<@lora:x", ":", "x", "0.5", "[", "]", "|", ",", "1,2", "lbw=", "te=", "start=", "MIDD", " ", "-", "."]
    ),
    max_size=30,
).map("".join)


@pytest.mark.rule("P2", "R19")
@given(SIGNS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_R19_any_tag_can_be_read(text: str, negative: bool) -> None:
    prompt = read(text, negative=negative)
    for span in (TEN, PassSpan(10, 5, True)):
        for phase in prompt.phases(span):
            assert all(abs(network.unet) <= 1e6 * len(prompt.tags) for network in phase.networks)
    assert all(0 <= span.start <= span.end <= len(text) for span in prompt.spans)


@pytest.mark.rule("P4")
@pytest.mark.parametrize("unit", ["<", "<a:", "<lora:x>", "<aaaa", "<a:>", "\\<"])
def test_tags_are_found_in_linear_time(unit: str) -> None:
    assert len(find_tags(unit * 100_000)) in (0, 1, 100_000)


@pytest.mark.rule("P38")
def test_a_name_that_no_file_has_is_told_with_the_closest() -> None:
    told = [[span.message for span in read(text).spans if span.message] for text in ("<lora:bundel:1>", "<lora:nobody:1>")]
    assert told == [
        ["There is no lora file called 'bundel': it is left out. Closest: 'bundle'."],
        ["There is no lora file called 'nobody': it is left out."],
    ]
