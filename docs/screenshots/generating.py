"""The Generate page: empty, at work, with results, with inputs, and what fails."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import Qt

from screenshots.content import choices, fill_inputs, fill_models, fill_prompts, recorded
from screenshots.view import data_of, until, view, wait
from tests.support.painting import CHOICES, Painter, emerging, encoded, scene
from tests.support.window import OpenWindow, accessible

PROMPT = "a red circle, white background"
SCENES = (
    ("red", "circle", "white"),
    ("blue", "star", "yellow"),
    ("green", "heart", "white"),
    ("orange", "moon", "purple"),
    ("white", "ring", "red"),
    ("pink", "cross", "blue"),
)


def steered(data: Path) -> Painter:
    return Painter(choices(data))


def write(window: OpenWindow, prompt: str) -> None:
    window.studio.prompts.setProperty("text", prompt)


def make(window: OpenWindow, what: tuple[str, str, str], side: int = 64) -> None:
    """One whole job."""
    count = len(window.painter.submits)
    window.studio.act("generate")
    until(lambda: len(window.painter.submits) > count, "the job")
    window.painter.stage("denoise", 20, 20, 14.0)
    window.painter.picture(recorded(scene(*what, side=side), window.painter.submits[-1].params), side=side)
    window.painter.finish()
    until(lambda: not window.studio.jobs.property("busy"), "the end of the job")
    wait(60)


def several_made(window: OpenWindow, count: int) -> None:
    for colour, shape, background in SCENES[-count:]:
        write(window, f"a {colour} {shape}, {background} background")
        make(window, (colour, shape, background), 512)
    write(window, PROMPT)


def begin(window: OpenWindow, done: int = 9) -> None:
    count = len(window.painter.submits)
    window.studio.act("generate")
    until(lambda: len(window.painter.submits) > count, "the job")
    window.painter.stage("denoise", done, 25, 13.6, (emerging(scene(*SCENES[0], side=64), 0.45),))
    wait(300)


@view("dark", real=True)
def first_light(window: OpenWindow) -> None:
    for number, (colour, shape, background) in enumerate((*SCENES[1:], SCENES[0])):
        write(window, f"a {colour} {shape}, {background} background")
        window.studio.parameters.commit("seed", str(number + 1))
        window.studio.act("generate")
        wait(100)
        until(lambda: not window.studio.jobs.property("busy"), "a picture", 120)
    window.studio.parameters.reset("seed")
    wait(400)


@view("dark")
def empty(window: OpenWindow) -> None:
    wait(300)


@view("dark", painter=lambda data: Painter({**CHOICES, "models": []}))
def no_model(window: OpenWindow) -> None:
    wait(300)


@view("dark", painter=lambda data: Painter(greet=False))
def starting(window: OpenWindow) -> None:
    window.type(PROMPT)
    window.studio.act("generate")
    wait(300)


@view("dark", "light")
def painting(window: OpenWindow) -> None:
    several_made(window, 2)
    begin(window)


@view("dark")
def queued(window: OpenWindow) -> None:
    painting(window)
    for _ in range(3):
        window.studio.act("generate")
    wait(300)


@view("dark")
def several(window: OpenWindow) -> None:
    several_made(window, 6)
    window.studio.outputs.choose(1)
    window.studio.parameters.commit("steps", "30")
    wait(300)


@view("dark")
def full(window: OpenWindow) -> None:
    several_made(window, 3)
    window.studio.act("view_open")
    wait(300)


@view()
def full_parameters(window: OpenWindow) -> None:
    full(window)
    window.type("i")
    wait(400)


@view("dark")
def compare(window: OpenWindow) -> None:
    full(window)
    window.type("c")
    wait(400)


def _cards(window: OpenWindow, *roles: tuple[str, str]) -> None:
    paths = fill_inputs(data_of(window))
    for name, role in roles:
        window.studio.inputs.add(paths[name], role)
        wait(150)
    for card in window.studio.inputs.cards:
        if card.role == "control":
            window.studio.inputs.set(card.id, "model", "sd15_canny")
    wait(700)


def _scroll_to_end(window: OpenWindow) -> None:
    """Of the parameters: by the keys a person would use."""
    window.item("Reset all", "Button").forceActiveFocus(Qt.TabFocusReason)
    wait(400)


@view()
def input_one(window: OpenWindow) -> None:
    write(window, "a red kite")
    _cards(window, ("wide", "image"))


@view("dark", painter=steered)
def inputs(window: OpenWindow) -> None:
    several_made(window, 2)
    write(window, "a red kite, morning light")
    _cards(window, ("kite", "image"), ("mask", "mask"), ("lines", "control"))


@view(painter=steered)
def inputs_extent(window: OpenWindow) -> None:
    write(window, "a red kite, morning light")
    _cards(window, ("kite", "image"), ("mask", "mask"))
    window.studio.parameters.apply({"mask_padding": 32, "mask_blur": 0.0}, "Only masked")
    wait(500)


@view(painter=steered)
def inputs_add(window: OpenWindow) -> None:
    window.click(window.item("Add image"))
    wait(400)


@view("dark")
def error(window: OpenWindow) -> None:
    write(window, PROMPT)
    make(window, SCENES[0])
    window.studio.act("generate")
    wait(300)
    window.painter.fail(
        "worker_died",
        "The engine stopped unexpectedly in stage 'denoise' (killed for memory). It is being restarted; run the job again.",
        detail="exit status -9",
    )
    wait(300)


@view("light")
def details(window: OpenWindow) -> None:
    error(window)
    window.click(window.item("Details"))
    wait(400)


@view()
def unsaved(window: OpenWindow) -> None:
    blocked = Path(window.studio.about["outputs"])
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    write(window, PROMPT)
    make(window, SCENES[0])
    wait(300)


@view("dark")
def invalid(window: OpenWindow) -> None:
    window.studio.parameters.commit("steps", "900")
    window.studio.parameters.commit("seed", "12345")
    wait()


@view("dark")
def advanced(window: OpenWindow) -> None:
    window.studio.parameters.commit("s_noise", "1.05")
    window.studio.act("advanced")
    wait(300)
    window.studio.finder.choose("control", "s_noise")
    wait(300)


@view("dark")
def live(window: OpenWindow) -> None:
    several_made(window, 2)
    window.studio.act("live")
    until(lambda: len(window.painter.submits) == 3, "the live job")
    window.painter.stage("denoise", 20, 20, 14.0)
    window.painter.picture(encoded(scene(*SCENES[3], side=512)), side=512)
    window.painter.finish()
    wait(500)


@view("dark")
def grid(window: OpenWindow) -> None:
    several_made(window, 2)
    window.key(Qt.Key_G, Qt.ControlModifier)
    until(lambda: accessible(window.window.activeFocusItem(), "name") == "What changes on axis X", "the panel")
    for letter, (name, values) in zip("XY", (("Steps", "10, 20, 30"), ("Guidance", "4-8 (+2)")), strict=True):
        window.item(f"What changes on axis {letter}", "Choice").forceActiveFocus()
        window.type(name)
        window.key(Qt.Key_Return)
        wait(200)
        window.item(f"Values of axis {letter}", "TextArea").forceActiveFocus()
        window.type(values)
    wait(500)


@view("dark", prepare=fill_prompts)
def presets(window: OpenWindow) -> None:
    several_made(window, 2)
    window.studio.parameters.commit("steps", "31")
    window.studio.act("presets")
    wait(400)


def _all(data: Path) -> None:
    fill_models(data)
    fill_prompts(data)


@view("dark", prepare=_all, painter=steered)
def completion(window: OpenWindow) -> None:
    several_made(window, 2)
    until(lambda: window.studio.prompts.knowledge.is_read, "the names")
    wait(300)
    write(window, "")
    window.item("Prompt").forceActiveFocus()
    window.type("a [fox:(wolf:1.2):0.5], ((bright)), re")
    wait(500)


@view("dark", prepare=_all, painter=steered)
def styles(window: OpenWindow) -> None:
    several_made(window, 2)
    window.studio.prompts.styles.toggle("Ink")
    window.studio.act("prompt_styles")
    wait(400)


@view(prepare=_all, painter=steered)
def prompt_history(window: OpenWindow) -> None:
    several_made(window, 6)
    window.studio.act("prompt_history")
    wait(400)


@view(prepare=_all, painter=steered)
def wildcards(window: OpenWindow) -> None:
    several_made(window, 2)
    window.studio.act("prompt_wildcards")
    wait(400)


@view("dark", prepare=_all, painter=steered)
def look_ahead(window: OpenWindow) -> None:
    several_made(window, 2)
    write(window, "a __colours__ __shapes__ at {dawn|noon|dusk}")
    window.studio.act("prompt_expand")
    wait(700)


@view("dark", prepare=_all, painter=steered)
def networks(window: OpenWindow) -> None:
    several_made(window, 2)
    until(lambda: window.studio.prompts.knowledge.is_read, "the names")
    write(window, "a lighthouse, <lora:ink-lines:0.8> <lora:paper-cut:0.5:0.3>, <lora:inc-lines:1>")
    wait(900)
    _scroll_to_end(window)


@view("dark", "light")
def queue(window: OpenWindow) -> None:
    """A done job, a failed one, one that runs and some that wait."""
    jobs, painter = window.studio.jobs, window.painter
    for number, (colour, shape, background) in enumerate((*SCENES, SCENES[1])):
        write(window, f"a {colour} {shape}, {background} background")
        window.studio.parameters.commit("batch_count", str(1 + number % 3))
        window.studio.act("generate")
        until(lambda number=number: len(jobs.rows.waiting) + (jobs.running is not None) == number + 1, "the job")
    until(lambda: len(painter.submits) == 1, "the first")
    painter.stage("denoise", 20, 20, 14.0)
    wait(700)  # so that the speed that is learnt is one of a picture, not of a script
    painter.picture(encoded(scene(*SCENES[0])))
    painter.finish()
    until(lambda: len(painter.submits) == 2, "the second")
    painter.fail("out_of_memory", "Not enough memory for 64x64. Use a smaller size.")
    until(lambda: len(painter.submits) == 3, "the third")
    painter.stage("denoise", 9, 25, 13.6, (emerging(scene(*SCENES[2]), 0.5),))
    window.studio.notices.dismiss()
    window.studio.act("queue")
    window.studio.queue.choose(2, 0)
    wait(300)


@view()
def queue_empty(window: OpenWindow) -> None:
    window.studio.act("queue")
    wait(300)


@view()
def quitting(window: OpenWindow) -> None:
    painting(window)
    window.studio.act("quit")
    wait(400)


@view("dark", own=True)
def contrast(window: OpenWindow) -> None:
    inputs(window)
    window.studio.act("theme_contrast")
    wait(300)


@view("dark")
def large_words(window: OpenWindow) -> None:
    several_made(window, 4)
    for _ in range(6):
        window.studio.act("font_larger")
    wait(400)
