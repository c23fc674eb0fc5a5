"""When the window could not be made: the traceback goes to logs/crash.log, the sentence to the terminal and into a plain dialog.

The dialog is a process of its own, because the Qt application of this one may be what failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

SENTENCE = "Sfumato could not open its window: {reason}"


def say(error: BaseException, data: str | None, with_dialog: bool = True) -> int:
    """Write and show what happened; returns the exit status."""
    trace = _clean("".join(traceback.format_exception(error)))
    reason = _clean(str(error)).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    sentence = SENTENCE.format(reason=reason)
    log = _write(trace, data)
    print(f"{sentence}\nDetails: {log or trace}", file=sys.stderr)
    if with_dialog and not os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal")):
        command = [sys.executable, __file__, sentence, str(log or "")]
        subprocess.run(command, input=trace, text=True, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # ourselves
    return 1


def _clean(text: str) -> str:
    try:
        from sfumato.protocol.redaction import Redactor  # late, as below
    except Exception:  # noqa: BLE001  # where that cannot be imported, nothing was that held a secret
        return text
    return Redactor().clean(text)


def _write(trace: str, data: str | None) -> Path | None:
    try:
        from sfumato.config import data_folder  # late: the program may be too broken to import it

        path = data_folder(data) / "logs" / "crash.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trace, encoding="utf-8")
    except Exception:  # noqa: BLE001  # whatever it is, the first error matters more
        return None
    return path


def dialog(sentence: str, log: str, trace: str) -> None:
    """The plain dialog: sentence, Copy details, Open log, Close."""
    from PyQt5.QtCore import QUrl
    from PyQt5.QtGui import QDesktopServices
    from PyQt5.QtWidgets import QApplication, QMessageBox

    application = QApplication(["sfumato"])
    box = QMessageBox(QMessageBox.Icon.Critical, "Sfumato", sentence)
    box.setDetailedText(trace)
    copy = box.addButton("Copy details", QMessageBox.ButtonRole.ActionRole)
    show = box.addButton("Open log", QMessageBox.ButtonRole.ActionRole) if log else None
    box.addButton(QMessageBox.StandardButton.Close)
    for button, does in (
        (copy, lambda: application.clipboard().setText(f"{sentence}\n\n{trace}")),
        (show, lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(log))),
    ):
        if button is not None:
            button.clicked.disconnect()  # these two act and leave the dialog open
            button.clicked.connect(does)
    box.exec_()


if __name__ == "__main__":
    dialog(sys.argv[1], sys.argv[2], sys.stdin.read())
