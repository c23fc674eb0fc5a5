"""The header of a model as a tree that is opened node by node."""

from __future__ import annotations

import io
import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from sfumato.library.inspection import PAGE, Tree, serve
from tests.support.model_files import write_model

TAGS = {"10_a": {"red": 5, "blue": 2}, "20_b": {"blue": 9, " ": 3, "bad": -1}}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    metadata = {"ss_tag_frequency": json.dumps(TAGS), "title": "Ink", "broken": "{no JSON"}
    return Tree(write_model(tmp_path / "m.safetensors", {f"layer.{number}": ("F16", (2,)) for number in range(450)}, metadata))


@pytest.mark.rule("D119")
def test_nodes_open_one_by_one_and_long_lists_in_pages(tree: Tree) -> None:
    assert [(node.key, node.count) for node in tree.children([])] == [("metadata", 3), ("tensors", 450)]
    assert [(node.key, node.count, node.value) for node in tree.children([0])] == [("ss_tag_frequency", 2, ""), ("title", 0, "Ink"), ("broken", 0, "{no JSON")]
    assert [node.key for node in tree.children([0, 0])] == ["10_a", "20_b"]
    assert [node.value for node in tree.children([0, 0, 0])] == ["5", "2"]
    assert len(tree.children([1])) == PAGE and tree.children([1], 400)[-1].key == "layer.449"
    with pytest.raises(LookupError):
        tree.children([9])


@pytest.mark.rule("D119")
def test_search_finds_keys_and_values_and_a_node_is_copied_as_json(tree: Tree) -> None:
    assert tree.find("layer.449")[0][:2] == [1, 449]
    assert tree.find("INK") == [[0, 1]]
    assert tree.text([0, 1]) == "Ink"
    assert json.loads(tree.text([0, 0])) == TAGS
    assert json.loads(tree.text([]))["metadata"]["title"] == "Ink"


@pytest.mark.rule("D119")
def test_training_tags_are_counted_over_all_folders(tree: Tree) -> None:
    assert tree.tags() == [("blue", 11), ("red", 5)]


def ask(path: Path, *questions: dict[str, Any]) -> list[dict[str, Any]]:
    said = io.StringIO()
    lines = io.StringIO("".join(json.dumps(question | {"id": number}) + "\n" for number, question in enumerate(questions)))
    serve(path, lines, said.write)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_each_question_has_one_answer_also_for_what_is_not_there_and_for_a_damaged_file(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.safetensors", metadata={"a": "1"})
    answers = ask(path, {"ask": "children", "place": [7], "start": 0}, {"ask": "tags"})
    assert [(answer["id"], answer["answer"]) for answer in answers] == [(0, None), (1, [])]
    path.write_bytes(b"<html>")
    assert "damaged" in ask(path, {"ask": "tags"})[0]["problem"]


@pytest.mark.slow
@pytest.mark.rule("D119")
def test_a_hundred_megabytes_of_metadata_are_shown_and_searched(tmp_path: Path) -> None:
    embedded = json.dumps({f"key {number}": "x" * 990 for number in range(50_000)})
    text = json.dumps({"__metadata__": {"big": embedded, "more": "y" * (40 << 20)}, "w": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    assert len(text) > 90_000_000
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(2))
    began = time.perf_counter()
    tree = Tree(path)
    nodes = tree.children([0])
    assert nodes[0].count == 50_000 and not nodes[1].whole and len(nodes[1].value) < 1000
    assert len(tree.children([0, 0], 49_900)) == 100
    assert tree.find("yyyy") == [[0, 1]]
    print(f"opened and searched in {time.perf_counter() - began:.1f} s")
