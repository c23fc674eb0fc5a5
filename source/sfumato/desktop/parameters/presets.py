"""Presets of the window: save what is set under a name, take it again as one step of undo, share it as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QUrl, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QDesktopServices

from sfumato.desktop.disk import Disk
from sfumato.desktop.edits import Edits
from sfumato.desktop.language import tr
from sfumato.desktop.notices import Notices
from sfumato.desktop.parameters.form import OPERATION, ParameterForm
from sfumato.desktop.parameters.values import fits, written
from sfumato.imaging.writing import make_folder
from sfumato.library.own_presets import FOLDER, OwnPreset, checked_name, read_presets, remove_preset, write_preset
from sfumato.library.trash import Receipt, restore
from sfumato.protocol.errors import Invalid, Problem, SfumatoError

PROMPTS = ("prompt", "negative")


class Presets(QObject):
    """The list, and what is done with it.

    Args:
        prompts: reads the two prompts, by "prompt" and "negative".
        write_prompts: sets those given.
        setting, set_setting: read and write a setting by its name.
    """

    changed = pyqtSignal()

    def __init__(
        self,
        form: ParameterForm,
        data: Path,
        disk: Disk,
        notices: Notices,
        edits: Edits,
        prompts: Callable[[], Mapping[str, str]],
        write_prompts: Callable[[Mapping[str, str]], None],
        setting: Callable[[str], Any],
        set_setting: Callable[[str, Any], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._form, self._data, self._disk, self._notices, self._edits = form, data, disk, notices, edits
        self._prompts, self._write_prompts = prompts, write_prompts
        self._presets: list[OwnPreset] = []
        self._problem = ""
        self._setting, self._set_setting = setting, set_setting
        self._at_start = str(setting("start_preset"))
        self._read()

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty("QVariantList", notify=changed)
    def rows(self) -> list[dict[str, Any]]:
        """{name, words, atStart}: each preset, what it sets, and whether every start takes it."""
        first = self._setting("start_preset")
        return [{"name": preset.name, "words": self._told(preset), "atStart": preset.name == first} for preset in self._presets]

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        """Why the last name could not be taken, or ""."""
        return self._problem

    @pyqtSlot(result="QVariantList")
    def candidates(self) -> list[dict[str, Any]]:
        """What could be saved now, {name, title, text, ticked}: prompts, and every parameter that acts; those with a value of the user's are ticked."""
        texts = [
            {"name": name, "title": tr(self._form.specs[name].title), "text": text, "ticked": False} for name, text in self._prompts().items() if text.strip()
        ]
        shown = [
            {"name": spec.name, "title": self._form.cell(spec.name, "title"), "text": self._form.cell(spec.name, "text"), "ticked": is_set}
            for spec, is_set in self._form.in_force()
            if spec.group != OPERATION
        ]
        return texts + sorted(shown, key=lambda row: not row["ticked"])

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str, "QStringList", result=bool)
    def save(self, name: str, chosen: list[str]) -> bool:
        """Save the values of `chosen` as they are now; a preset of that name is replaced. False, and `problem` says why, for a name that cannot be."""
        try:
            name = checked_name(name)
        except Invalid as error:
            return self._refuse(error.message)
        if not chosen:
            return self._refuse(tr("Nothing is ticked; choose what the preset sets."))
        values: dict[str, Any] = {key: text for key, text in self._prompts().items() if key in chosen}
        values |= {key: self._form.value(key) for key in chosen if key in self._form.specs and key not in PROMPTS}
        before = self._preset(name)
        # What another version of the program wrote into the file stays in it.
        strange = {key: value for key, value in before.values.items() if key in chosen and key not in self._form.specs} if before else {}
        values |= strange
        self._write(
            OwnPreset(name, {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}, before.others if before else {})
        )
        return True

    @pyqtSlot(str)
    def take(self, name: str) -> None:
        """Set what a preset says, as one step of undo; what could not be set is listed."""
        preset = self._preset(name)
        if preset is None:
            return
        texts = {key: str(value) for key, value in preset.values.items() if key in PROMPTS}
        sentence = tr("Take the preset '{name}'", name=name)
        with self._edits.together(sentence):
            if texts:
                before = dict(self._prompts())
                self._write_prompts(texts)
                self._edits.push(sentence, partial(self._write_prompts, before), partial(self._write_prompts, texts))
            refused = self._form.apply({key: value for key, value in preset.values.items() if key not in PROMPTS}, sentence)
        if refused:
            self._notices.show(tr("'{name}' could not set: {what}.", name=name, what=", ".join(refused)), kind="note")

    @pyqtSlot(str)
    def update(self, name: str) -> None:
        """Give a preset the values that its parameters have now."""
        preset = self._preset(name)
        if preset is not None:
            self.save(name, list(preset.values))

    @pyqtSlot(str)
    def takeAtStart(self, name: str) -> None:
        """Take this preset at every start; a second time, none."""
        self._set_setting("start_preset", "" if self._setting("start_preset") == name else name)
        self.changed.emit()

    @pyqtSlot(str, str, result=bool)
    def rename(self, name: str, new: str) -> bool:
        """Give a preset another name; False, and `problem` says why, where it cannot have it."""
        preset = self._preset(name)
        try:
            new = checked_name(new)
        except Invalid as error:
            return self._refuse(error.message)
        if preset is None or new == name:
            return True
        if self._preset(new) is not None:
            return self._refuse(tr("There is a preset '{name}' already; choose another name.", name=new))

        def work() -> None:
            write_preset(self._data, OwnPreset(new, preset.values, preset.others))
            remove_preset(self._data, name)

        self._disk.run(work, lambda _: self._read(), self._complain)
        return True

    @pyqtSlot(str)
    def remove(self, name: str) -> None:
        """Move a preset to the trash; undo brings it back."""

        held: list[Receipt] = []  # what was deleted last is what comes back, also after a redo

        def remove(done: Callable[[], None]) -> None:
            def removed(receipt: Receipt) -> None:
                held[:] = [receipt] if receipt.items or not held else held
                done()

            self._disk.run(lambda: remove_preset(self._data, name), removed, self._complain)

        def back() -> None:
            self._disk.run(lambda: restore(held[0]), self._brought_back, self._complain)

        def done() -> None:
            self._edits.push(tr("Delete the preset '{name}'", name=name), back, partial(remove, self._read))
            self._read()

        remove(done)

    def _brought_back(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._notices.show(sentence)
        self._read()

    @pyqtSlot()
    def refresh(self) -> None:
        """Read the files again: somebody may have put one there."""
        self._read()

    @pyqtSlot()
    def showFiles(self) -> None:
        """Open the folder of the presets in the system's file manager."""
        folder = self._data / FOLDER
        self._disk.run(lambda: make_folder(folder), lambda _: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))), self._complain)

    @pyqtSlot(QUrl)
    def importFrom(self, file: QUrl) -> None:
        """Take over a preset from a file; one of its name is replaced."""
        path = Path(file.toLocalFile())

        def read() -> OwnPreset:
            try:
                return OwnPreset.from_json(path.read_bytes(), path.stem)
            except OSError as error:
                sentence = tr("'{file}' cannot be read ({reason}); choose another file.", file=path.name, reason=error.strerror)
                raise Invalid([Problem("preset", sentence)]) from error

        self._disk.run(read, self._write, self._complain)

    # -- the files -------------------------------------------------------------------------------

    def _read(self) -> None:
        def done(found: tuple[list[OwnPreset], list[str]]) -> None:
            self._presets, complaints = found
            self._problem = ""
            for sentence in complaints:
                self._notices.show(sentence, kind="note")
            self.changed.emit()
            first, self._at_start = self._at_start, ""
            self.take(first)

        self._disk.run(partial(read_presets, self._data), done, self._complain)

    def _write(self, preset: OwnPreset) -> None:
        self._disk.run(partial(write_preset, self._data, preset), lambda _: self._read(), self._complain)

    def _preset(self, name: str) -> OwnPreset | None:
        return next((preset for preset in self._presets if preset.name == name), None)

    def _told(self, preset: OwnPreset) -> str:
        told = []
        for name, value in preset.values.items():
            spec = self._form.specs.get(name)
            told.append(f"{tr(spec.title)} {written(spec, value)}" if spec and fits(spec, value) else f"{name} {value}")
        return ", ".join(told)

    def _refuse(self, sentence: str) -> bool:
        self._problem = sentence
        self.changed.emit()
        return False

    def _complain(self, error: SfumatoError) -> None:
        self._notices.show(error.message, error.detail)
