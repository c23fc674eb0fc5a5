"""What is read from disk before the window exists: folders, settings, the last session; and where the engine comes from."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from logging.handlers import RotatingFileHandler

from PyQt5.QtCore import QLocale

from sfumato.config import LANGUAGE_FILES, PROGRAM_FOLDER, Settings, find_places
from sfumato.desktop import language, session
from sfumato.desktop.studio import Beginnings
from sfumato.jobs.places import Places
from sfumato.protocol.redaction import Redaction, Redactor
from sfumato.transport.endpoint import Endpoint, State
from sfumato.transport.local import LocalInference

log = logging.getLogger(__name__)

LOG_BYTES = 5 << 20
LOGS_KEPT = 9


def read(data: str | None) -> Beginnings:
    """Folders, settings and session; what is damaged becomes a complaint, never a failure."""
    places = find_places(data)
    complaint, handler = log_to(places)
    complaints = [complaint, absent_packages(os.environ)]
    settings = Settings.load(places.data, PROGRAM_FOLDER)
    restored, complaint = session.load(places.data)
    spoken = language.chosen(settings["language"], LANGUAGE_FILES, QLocale.system().uiLanguages())
    said = [sentence for sentence in (*complaints, complaint) if sentence]
    return Beginnings(places, settings, restored, said, handler, language.load(language.read(LANGUAGE_FILES, spoken)))


def absent_packages(environ: Mapping[str, str]) -> str:
    """A sentence about what the launcher was told not to look for and did not find, or ""."""
    absent = environ.get("SFUMATO_ABSENT", "")
    sentence = f"Started without looking, and these packages are absent: {absent}. Start without --skip-install to install them." if absent else ""
    if sentence:
        log.warning(sentence)
    return sentence


def local_engine(places: Places, settings: Settings) -> Callable[[Callable[[State], None]], Endpoint]:
    """A maker of the engine on this machine."""
    silence_s, unanswered_s = float(settings["engine_silence"]), float(settings["engine_unanswered"])
    return lambda on_state: LocalInference(places, on_state=on_state, silence_s=silence_s, unanswered_s=unanswered_s)


def log_to(places: Places) -> tuple[str, logging.Handler | None]:
    """Write the window's log under the data folder; a sentence if that cannot be, and what writes it."""
    try:
        places.logs.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(places.logs / "window.log", maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8", delay=True)
    except OSError as error:
        return f"The folder {places.data} cannot be written to ({error.strerror}): settings, session and logs are not kept.", None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redaction(Redactor()))
    logging.getLogger("sfumato").addHandler(handler)
    logging.getLogger("sfumato").setLevel(logging.INFO)
    return "", handler
