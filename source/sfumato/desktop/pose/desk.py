"""`studio.pose`: the pose that is open, what the pointer and the keys do to it, and its way back to the input card."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import Draft
from sfumato.desktop.images import address
from sfumato.desktop.inputs.cards import CONTROL, PAINTED, Card, layers_folder
from sfumato.desktop.inputs.strip import InputStrip
from sfumato.desktop.language import tr
from sfumato.desktop.parameters.values import file_of
from sfumato.desktop.pose import gestures, keeping
from sfumato.desktop.pose.gestures import HANDLES, TURN, Band, Bend, Bounds, Carry, Drag, Scale, Turn
from sfumato.desktop.pose.history import History
from sfumato.desktop.pose.view import PAD_PX, REACH_PX, TURN_PX, register
from sfumato.desktop.shell import Shell
from sfumato.imaging.pose import editing
from sfumato.imaging.pose.editing import Node
from sfumato.imaging.pose.keypoints import Pose, write_pose
from sfumato.imaging.pose.skeleton import BODY, COLOURS, Joint
from sfumato.protocol.errors import SfumatoError

SAVE_DELAY_MS = 1500
# A card without a picture and without a size set.
_BLANK_PX = 512
_KIND = "pose"
_NOTCH_TURNS, _FINE_TURNS = math.radians(5), math.radians(1)


class PoseDesk(QObject):
    """One pose is open at a time; what was changed is the card's own map from then on."""

    changed = pyqtSignal()
    drawn = pyqtSignal()
    reshaped = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._strip: InputStrip
        self._card = ""
        self._history: History | None = None
        self._shown: Pose | None = None  # while a drag is under way
        self._chosen: frozenset[Node] = frozenset()
        self._drag: Drag | None = None
        self._at = Joint(0, 0)
        self._relative = shell.session.restored("pose", dict, {}).get("relative") is True
        shell.session.keep("pose", lambda: {"relative": self._relative})
        self._file = Path()
        self._is_changed = False
        self._map = ""  # the card's map as it was last read or written
        self._finding = False
        self._told = ""
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_DELAY_MS)
        self._saving.timeout.connect(self._save)
        shell.drafting.add(self._settle)
        register()

    def use(self, strip: InputStrip) -> None:
        """Say who holds the cards; the first call."""
        self._strip = strip
        strip.told.connect(self._look)

    # -- what is open ------------------------------------------------------------------------------

    @pyqtSlot(str, result=bool)
    def suits(self, card: str) -> bool:
        """Whether a card shows people: a control of that kind, or one whose map came with a pose."""
        found = self._strip.find(card)
        return found is not None and found.role == CONTROL and (found.settings.get("type") == _KIND or bool(found.pose))

    @pyqtSlot(str)
    def open(self, card: str) -> None:
        """Edit the pose of a card; it shows itself as soon as it is read."""
        found = self._strip.find(card)
        if found is None or not self.suits(card):
            return
        if self._card:
            self.close()
        self._card, self._map, self._told = card, found.map, ""
        self._file = keeping.name(layers_folder(self._shell.places.data, found))
        picture = self._strip.under(card)[0]
        form = self._shell.parameters
        size = (form.side("width") or _BLANK_PX, form.side("height") or _BLANK_PX)
        work = partial(keeping.opened, found.pose, found.file, size, has_picture=bool(picture))
        self._shell.disk.run(work, partial(self._arrived, card), partial(self._not_opened, card))
        self.changed.emit()

    def _arrived(self, card: str, pose: Pose) -> None:
        if card != self._card or self._history is not None:
            return
        self._history = History(pose)
        # Somebody who was put there is a pose as any other.
        self._is_changed = not self._map and bool(pose.people)
        self._chosen = frozenset()
        self.reshaped.emit()
        self.changed.emit()

    def _not_opened(self, card: str, error: SfumatoError) -> None:
        if card == self._card:
            self._card = ""
            self.changed.emit()
        self._shell.complain(error)

    @pyqtSlot()
    def close(self) -> None:
        """Return to the page; what was changed is saved and stands on the card."""
        self.leave_off()
        self._save()
        self._card, self._history, self._chosen, self._finding = "", None, frozenset(), False
        self.changed.emit()
        self.drawn.emit()

    @pyqtProperty(bool, notify=changed)
    def isOpen(self) -> bool:
        return bool(self._card)

    @pyqtProperty(str, notify=changed)
    def card(self) -> str:
        return self._card

    @pyqtProperty(bool, notify=changed)
    def isReady(self) -> bool:
        return self._history is not None

    @property
    def pose(self) -> Pose | None:
        """The pose as it is seen now."""
        return self._shown or (self._history.pose if self._history is not None else None)

    @property
    def size(self) -> tuple[int, int]:
        pose = self.pose
        return (pose.width, pose.height) if pose is not None else (0, 0)

    @property
    def chosen(self) -> frozenset[Node]:
        return self._chosen

    @property
    def chosen_joints(self) -> list[Joint]:
        pose = self.pose
        return [joint for node in self._chosen if (joint := editing.joint_at(pose, node))] if pose is not None else []

    @property
    def box(self) -> Bounds | None:
        """Around what is chosen, where that is more than one joint; none while joints are bent."""
        pose = self.pose
        return editing.bounds(pose, self._chosen) if pose is not None and len(self._chosen) > 1 and not self._relative else None

    @property
    def band(self) -> Bounds | None:
        return (self._drag.start.x, self._drag.start.y, self._at.x, self._at.y) if isinstance(self._drag, Band) else None

    @pyqtProperty("QVariantMap", notify=changed)
    def state(self) -> dict[str, Any]:
        """What the editor shows beside the pose."""
        pose, history = self.pose, self._history
        if pose is None or history is None:
            return {}
        picture, box = self._strip.under(self._card)
        people = self._people()
        return {
            "width": pose.width,
            "height": pose.height,
            "people": len(pose.people),
            "chosen": len(self._chosen),
            "missing": len(editing.missing_of(pose, people)),
            "undo": tr(history.undo_words) if history.undo_words else "",
            "redo": tr(history.redo_words) if history.redo_words else "",
            "relative": self._relative,
            "picture": address(Path(picture)) if picture else "",
            "box": list(box),
            "finding": self._finding,
            "told": self._told,
            "person": people[0] + 1 if len(people) == 1 else 0,
            "exportName": str(self._shell.places.outputs / "poses" / "pose.png"),
        }

    @pyqtProperty("QVariantList", notify=changed)
    def joints(self) -> list[dict[str, Any]]:
        """The joints of the one person who is chosen."""
        pose, people = self.pose, self._people()
        if pose is None or len(people) != 1:
            return []
        number = people[0]
        return [
            {
                "place": place,
                "title": tr(name.capitalize()),
                "colour": "#{:02x}{:02x}{:02x}".format(*COLOURS[place]),
                "known": editing.joint_at(pose, (number, place)) is not None,
                "chosen": (number, place) in self._chosen,
            }
            for place, name in enumerate(BODY)
        ]

    def _people(self) -> list[int]:
        """Of whom something is chosen, else everybody."""
        pose = self.pose
        return sorted({number for number, _ in self._chosen}) or list(range(len(pose.people) if pose is not None else 0))

    # -- saving ------------------------------------------------------------------------------------

    def _save(self) -> None:
        """Make the pose the card's map; the file is written on the disk thread, before anything reads it there."""
        self._saving.stop()
        if self._history is None or not self._is_changed or self._strip.find(self._card) is None:
            return
        self._is_changed = False
        pose = self._history.pose

        def failed(error: SfumatoError) -> None:
            self._is_changed = True
            self._shell.complain(error)

        take = partial(self._strip.take_pose, self._card, str(self._file), write_pose(pose))
        take()
        self._map = str(self._file)
        # Once more when it is there to be seen.
        self._shell.disk.run(partial(keeping.keep, self._file, pose), lambda _: take(), failed)

    def _settle(self, draft: Draft) -> None:
        """A job is about to be sent: what was changed last goes with it."""
        del draft
        self._save()

    @pyqtSlot(str)
    def export(self, target: str) -> None:
        """Write a PNG that carries the pose, or OpenPose's JSON, where the user wants it."""
        if self._history is not None:
            work = partial(keeping.export, Path(file_of(target)), self._history.pose)
            self._shell.disk.run(work, lambda path: self._tell(tr("Saved as {file}.", file=path.name)), self._refused)

    @pyqtSlot(str)
    def importFile(self, source: str) -> None:
        """Take the pose of a PNG that carries one, or of OpenPose's JSON."""
        if self._history is not None:
            path = Path(file_of(source))
            self._shell.disk.run(partial(keeping.read_file, path), lambda pose: self._take(pose, "Import a pose", frozenset()), self._refused)

    def _refused(self, error: SfumatoError) -> None:
        self._tell(str(error))

    def _tell(self, words: str) -> None:
        self._told = words
        self.changed.emit()

    # -- finding people ----------------------------------------------------------------------------

    @pyqtSlot()
    def findPeople(self) -> None:
        """Let the engine look for people in the card's picture; they take the place of those that are here, which undo brings back."""
        if self._history is not None and not self._finding:
            self._save()
            self._finding, self._told = True, ""
            self._strip.refresh(self._card)
            self._look()

    def _look(self) -> None:
        """What the strip says of the card may have changed."""
        if self._history is None:
            return
        card = self._strip.find(self._card)
        if card is None:
            self._is_changed = False
            self.close()
            return
        if card.pose and card.map != self._map and card.map_key != PAINTED:
            self._adopt(card)
        elif self._finding and not self._strip.is_computing(card.id):
            # A map that came is still being written; what follows is after it.
            self._shell.disk.run(lambda: None, lambda _: self._give_up(card), self._shell.complain)
        self.changed.emit()

    def _give_up(self, card: Card) -> None:
        """Nothing is computed any more and no other pose came."""
        if self._finding and card.id == self._card:
            self._finding = False
            is_its_own = bool(card.pose) and card.map_key != PAINTED
            self._tell(tr("These are the people of the picture.") if is_its_own else tr("No pose came back; the page says why."))

    def _adopt(self, card: Card) -> None:
        self._map, self._finding = card.map, False

        def done(pose: Pose) -> None:
            if self._take(pose, "Find people", frozenset()):
                # The card has this very map already.
                self._is_changed = False
                self._tell(tr("Nobody was found in the picture.") if not pose.people else "")

        work = partial(keeping.opened, card.pose, "", (_BLANK_PX, _BLANK_PX), has_picture=True)
        self._shell.disk.run(work, done, self._refused)

    # -- changes -----------------------------------------------------------------------------------

    def _take(self, pose: Pose, words: str, chosen: Iterable[Node] | None = None, key: str = "") -> bool:
        if self._history is None:
            return False
        size = self.size
        taken = self._history.take(pose, words, key)
        if taken:
            self._was_changed(size, self._chosen if chosen is None else chosen)
        return taken

    def _was_changed(self, size: tuple[int, int], chosen: Iterable[Node]) -> None:
        self._is_changed, self._told = True, ""
        self._saving.start()
        self._choose(chosen)
        if self.size != size:
            self.reshaped.emit()

    def _choose(self, chosen: Iterable[Node]) -> None:
        pose = self.pose
        self._chosen = frozenset(node for node in chosen if pose is not None and editing.joint_at(pose, node))
        self.changed.emit()
        self.drawn.emit()

    def _step(self, *, back: bool) -> None:
        if self._history is None:
            return
        if self._drag is not None:
            self.leave_off()
            return
        size = self.size
        if self._history.undo() if back else self._history.redo():
            self._was_changed(size, self._chosen)

    @pyqtSlot()
    def undo(self) -> None:
        self._step(back=True)

    @pyqtSlot()
    def redo(self) -> None:
        self._step(back=False)

    @pyqtSlot()
    def selectAll(self) -> None:
        if self.pose is not None:
            self._choose(editing.nodes(self.pose))

    @pyqtSlot()
    def addPerson(self) -> None:
        """One more person, who is chosen then."""
        pose = self.pose
        if pose is not None:
            made = editing.with_person(pose)
            self._take(made, "Add a pose", [(len(made.people) - 1, place) for place in range(len(BODY))])

    @pyqtSlot()
    def removeChosen(self) -> None:
        if self.pose is not None:
            self._take(editing.removed(self.pose, self._chosen), "Delete joints", ())

    @pyqtSlot()
    def attachMissing(self) -> None:
        """Give every person, or those of whom something is chosen, the joints they lack."""
        if self.pose is not None:
            self._take(editing.attached(self.pose, editing.missing_of(self.pose, self._people())), "Attach joints")

    @pyqtSlot(int)
    def toggleJoint(self, place: int) -> None:
        """Attach a joint to the chosen person, or delete it."""
        pose, people = self.pose, self._people()
        if pose is None or len(people) != 1 or not 0 <= place < len(BODY):
            return
        node = (people[0], place)
        if editing.joint_at(pose, node) is None:
            self._take(editing.attached(pose, [node]), "Attach a joint")
        else:
            self._take(editing.removed(pose, [node]), "Delete a joint")

    @pyqtSlot(int, bool)
    def chooseJoint(self, place: int, adds: bool) -> None:
        """Choose a joint of the chosen person, or add it to those that are."""
        people = self._people()
        if len(people) == 1:
            self._choose(self._chosen ^ {(people[0], place)} if adds else {(people[0], place)})

    @pyqtSlot(bool)
    def flip(self, upright: bool) -> None:
        """Mirror what is chosen, else everybody: left for right if `upright`."""
        if self.pose is not None:
            chosen = self._chosen or frozenset(editing.nodes(self.pose))
            self._take(editing.flipped(self.pose, chosen, upright=upright), "Flip")

    @pyqtSlot(int, int)
    def nudge(self, across: int, down: int) -> None:
        """Move what is chosen by pixels of the map."""
        if self.pose is not None and self._chosen:
            self._take(editing.moved(self.pose, self._chosen, across, down), "Move joints", key="nudge")

    @pyqtSlot()
    def toggleMode(self) -> None:
        """Between moving joints alone and bending limbs with what hangs on them."""
        if self._drag is None:
            self._relative = not self._relative
            self._shell.session.touch()
            self.changed.emit()
            self.drawn.emit()

    # -- the pointer -------------------------------------------------------------------------------

    def press(self, at: Joint, zoom: float, *, control: bool) -> None:
        """Begin at a point of the map; Ctrl adds to what is chosen, or takes from it.

        Args:
            zoom: window pixels for one of the map.
        """
        pose = self.pose
        if pose is None or self._drag is not None:
            return
        self._at, self._told = at, ""
        reach = REACH_PX / zoom
        handle = self._handle(at, zoom)
        node = editing.nearest(pose, at, reach)
        if handle:
            self._drag = Turn(pose, self._chosen, at) if handle == TURN else Scale(pose, self._chosen, at, handle)
        elif node is not None and control and not (self._relative and node in self._chosen):
            self._choose(self._chosen ^ {node})
            # A joint that was just chosen can be bent at once.
            self._drag = Bend(pose, self._chosen, at, node) if self._relative else None
        elif node is not None and self._relative:
            self._choose({node})
            self._drag = Bend(pose, self._chosen, at, node)
        elif node is not None or self._is_in_box(at, zoom):
            if node is not None and node not in self._chosen:
                self._choose({node})
            self._drag = Carry(pose, self._chosen, at)
        else:
            self._choose(self._chosen if control else ())
            self._drag = Band(pose, self._chosen, at)

    def drag(self, at: Joint, *, control: bool, shift: bool) -> None:
        if self._drag is None:
            return
        self._at = at
        if isinstance(self._drag, Band):
            self._choose(self._drag.inside(at))
        else:
            self._shown = self._drag.to(at, control=control, shift=shift)
            self.drawn.emit()

    def release(self) -> None:
        drag, shown = self._drag, self._shown
        self._drag = self._shown = None
        if drag is not None and shown is not None:
            self._take(shown, drag.words)
        elif drag is not None:
            self.drawn.emit()

    @pyqtSlot(result=bool)
    def leave_off(self) -> bool:
        """Take back what is being dragged right now; False where nothing is."""
        was = self._drag is not None
        self._drag = self._shown = None
        if was:
            self.drawn.emit()
        return was

    def choose_whole(self, at: Joint, zoom: float, *, adds: bool) -> None:
        """Choose the person at a point."""
        pose = self.pose
        number = editing.person_at(pose, at, REACH_PX / zoom) if pose is not None else None
        if pose is not None and number is not None:
            self._drag = self._shown = None
            self._choose((self._chosen if adds else frozenset()) | {node for node in editing.nodes(pose) if node[0] == number})

    def turn_children(self, at: Joint, zoom: float, notches: float, *, fine: bool) -> None:
        """Turn what hangs on the joint at a point, or on the only one that is chosen."""
        pose = self.pose
        if pose is None or self._drag is not None:
            return
        node = editing.nearest(pose, at, REACH_PX / zoom) or (next(iter(self._chosen)) if len(self._chosen) == 1 else None)
        if node is not None:
            self._take(editing.children_turned(pose, node, notches * (_FINE_TURNS if fine else _NOTCH_TURNS)), "Turn", key=f"turn:{node}")

    def _handle(self, at: Joint, zoom: float) -> str:
        box = self.box
        if box is None:
            return ""
        spots = gestures.places(gestures.padded(box, PAD_PX / zoom), TURN_PX / zoom)
        near = {name: math.dist(spots[name], at) for name in (TURN, *HANDLES)}
        name = min(near, key=lambda each: near[each])
        return name if near[name] <= REACH_PX / zoom else ""

    def _is_in_box(self, at: Joint, zoom: float) -> bool:
        if self.box is None:
            return False
        left, top, right, bottom = gestures.padded(self.box, PAD_PX / zoom)
        return left <= at.x <= right and top <= at.y <= bottom
