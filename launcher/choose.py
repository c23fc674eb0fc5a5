"""The install screen: which mode, what it needs and what of that is there, and then the installation as it happens.

Started by `session.py` with the Python of the virtual environment, where PyQt5 is by then; with package_list.py the only module here that is not standard
library, and imported by none. It installs by running the launcher itself with `--install-only`, so there is one way to install.
"""

# PyQt5's stubs know neither properties as constructor arguments nor that a widget has a style.
# pyright: reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PyQt5.QtCore import QProcess, Qt
from PyQt5.QtGui import QCloseEvent, QFont, QFontDatabase, QKeySequence, QTextCursor
from PyQt5.QtWidgets import (
    QApplication,
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

PROGRAM = Path(__file__).resolve().parent.parent
if str(PROGRAM) not in sys.path:
    sys.path.insert(0, str(PROGRAM))

from launcher import requirements, settings  # noqa: E402 - the path has to be set first
from launcher.folders import find  # noqa: E402
from launcher.modes import Mode, offered  # noqa: E402
from launcher.package_list import PackageList  # noqa: E402
from launcher.progress import Progress  # noqa: E402

CLOSED = 130
KILL_AFTER_MS = 2000
WIDTH = 700

STYLE = """
QWidget { background: #1d1e20; color: #e3e4e6; font-size: 14px; }
QLabel#title { font-size: 22px; font-weight: 600; }
QLabel#quiet, QLabel#size { color: #9a9da3; }
QLabel#failed { color: #f0887c; }
QFrame#row { background: #26282b; border: 1px solid #34373b; border-radius: 8px; }
QFrame#row:hover { border-color: #4a4e54; }
QFrame#row[chosen="true"] { border-color: #5cc8b4; background: #20302d; }
QFrame#row QLabel, QFrame#row QRadioButton { background: transparent; }
QRadioButton { font-weight: 600; spacing: 10px; }
QRadioButton::indicator { width: 14px; height: 14px; border-radius: 8px; border: 1px solid #73777e; background: transparent; }
QRadioButton::indicator:checked { border: 4px solid #5cc8b4; width: 8px; height: 8px; background: #1d1e20; }
QTreeWidget { background: #151618; border: 1px solid #34373b; border-radius: 8px; padding: 4px; font-size: 13px; }
QTreeWidget:focus, QPlainTextEdit:focus { border-color: #5cc8b4; }
QCheckBox { color: #9a9da3; spacing: 8px; }
QCheckBox:focus { color: #e3e4e6; }
QCheckBox::indicator { width: 14px; height: 14px; border-radius: 4px; border: 1px solid #73777e; background: transparent; }
QCheckBox::indicator:checked { border: 1px solid #5cc8b4; background: #5cc8b4; }
QPlainTextEdit { background: #151618; border: 1px solid #34373b; border-radius: 8px; padding: 8px; font-size: 12px; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar::handle:vertical { background: #44484e; border-radius: 4px; min-height: 24px; margin: 1px; }
QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical { height: 0; }
QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical { background: transparent; }
QProgressBar { background: #26282b; border: none; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: #5cc8b4; border-radius: 2px; }
QPushButton { background: #2e3135; border: 1px solid #44484e; border-radius: 6px; padding: 8px 22px; min-width: 72px; }
QPushButton:hover { background: #373b40; }
QPushButton:focus { border-color: #5cc8b4; }
QPushButton:default { background: #5cc8b4; border-color: #5cc8b4; color: #0c1614; font-weight: 600; }
QPushButton:default:hover { background: #74d4c2; }
"""


def size_of(mode: Mode) -> str:
    """What the mode costs, in words."""

    def amount(megabytes: int) -> str:
        return f"{megabytes / 1000:g} GB" if megabytes >= 1000 else f"{megabytes} MB"

    return f"{amount(mode.download_mb)} to download, {amount(mode.disk_mb)} on disk"


class ModeRow(QFrame):
    """One mode to choose: a click anywhere on the row chooses it."""

    def __init__(self, mode: Mode) -> None:
        super().__init__(objectName="row")
        self.mode = mode
        self.button = QRadioButton(mode.title)
        self.button.setAccessibleDescription(f"{mode.sentence} {size_of(mode)}.")
        self.button.toggled.connect(self._show_choice)
        size = QLabel(size_of(mode), objectName="size")
        sentence = QLabel(mode.sentence, objectName="quiet", wordWrap=True)
        sentence.setIndent(26)
        first = QHBoxLayout()
        first.addWidget(self.button)
        first.addStretch()
        first.addWidget(size)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(sentence)

    def mousePressEvent(self, event: object) -> None:
        self.button.setChecked(True)
        self.button.setFocus()

    def _show_choice(self, chosen: bool) -> None:
        self.setProperty("chosen", "true" if chosen else "false")
        self.style().unpolish(self)
        self.style().polish(self)


class Chooser(QWidget):
    """Choose, then watch; closes with 0 when everything is installed."""

    def __init__(self, preselect: str, flags: list[str], data: str = "", again: bool = False) -> None:
        super().__init__(windowTitle="Sfumato - installation")
        self._flags = flags
        self._again = again
        self._folders = find(PROGRAM, data)
        self._progress = Progress(())
        self._unread = ""
        self._ending = False
        self.status = CLOSED
        self.process = QProcess(self)
        self.process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self.process.readyReadStandardOutput.connect(self._read)
        self.process.finished.connect(self._finished)
        self.process.errorOccurred.connect(self._not_started)

        self.title = QLabel("Where are pictures made?", objectName="title")
        self.note = QLabel("This can be changed later: File, Change mode, or --mode.", objectName="quiet", wordWrap=True)
        self.rows = [ModeRow(mode) for mode in offered()]
        self._group = QButtonGroup(self)
        self.packages = PackageList()
        self.packages.setMinimumHeight(150)
        self.enforce = QCheckBox("Enforce versions: replace packages of other versions, too")
        self.enforce.setChecked(settings.flag(PROGRAM, self._folders.data, "enforce_versions"))
        self.enforce.toggled.connect(self._enforce)
        for row in self.rows:
            self._group.addButton(row.button)
            if row.mode.name == preselect:
                row.button.setChecked(True)
                row.button.setFocus()
        if self._group.checkedButton() is None:
            self.rows[-1].button.setChecked(True)
        self.log = QPlainTextEdit(readOnly=True, visible=False)
        self.log.setAccessibleName("Output of the installation")
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setMaximumBlockCount(5000)
        self.log.setMinimumHeight(140)
        self.bar = QProgressBar(visible=False, textVisible=False)
        self.bar.setRange(0, 0)
        self.copy = QPushButton("Copy output", visible=False)
        self.quit = QPushButton("Quit")
        self.install = QPushButton("Install", default=True, autoDefault=True)
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.log.toPlainText()))
        self.quit.clicked.connect(self._quit_or_cancel)
        self.install.clicked.connect(self._install)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self._quit_or_cancel)
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            QShortcut(QKeySequence(key), self, self._press_default)
        QShortcut(QKeySequence(Qt.Key.Key_Up), self, lambda: self._step(-1))
        QShortcut(QKeySequence(Qt.Key.Key_Down), self, lambda: self._step(1))
        for row in self.rows:
            row.button.toggled.connect(self._list)
        self._list()
        self._lay_out()

    def _list(self) -> None:
        """What the chosen mode needs, and what of it is there."""
        if self._group.checkedButton() is None:
            return
        try:
            wanted = requirements.read([PROGRAM / self.chosen().requirements_file])
        except requirements.RequirementsError as error:
            self._say("The program is not complete", str(error), failed=True)
            return
        packages = requirements.packages(wanted, requirements.site_packages_of(self._folders.environment))
        lacking = self.packages.show_packages(packages, self.enforce.isChecked())
        self._progress = Progress(package.name for package in packages if package.line in wanted.all)
        self.install.setText("Install" if lacking or self._again else "Proceed")

    def _enforce(self, on: bool) -> None:
        try:
            settings.remember(PROGRAM, self._folders.data, {"enforce_versions": on})
        except OSError as error:
            self._say("The choice was not remembered", f"{self._folders.data} cannot be written to ({error.strerror}).", failed=True)
        self._list()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(10)
        layout.addWidget(self.title)
        layout.addWidget(self.note)
        layout.addSpacing(6)
        for row in self.rows:
            layout.addWidget(row)
        layout.addWidget(self.packages, 1)
        layout.addWidget(self.enforce)
        layout.addWidget(self.log, 1)
        layout.addWidget(self.bar)
        layout.addSpacing(8)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch()
        buttons.addWidget(self.quit)
        buttons.addWidget(self.install)
        layout.addLayout(buttons)
        self.setMinimumWidth(WIDTH)
        self._fit()

    def _fit(self) -> None:
        """As high as what is shown needs. Qt's own minimum forgets that wrapped text grows, and its adjustSize() stops at two thirds of the screen."""
        layout = self.layout()
        layout.invalidate()
        width = max(self.width(), WIDTH) if self.isVisible() else WIDTH
        height = layout.totalHeightForWidth(width)
        self.setMinimumHeight(height)
        self.resize(width, height)

    def chosen(self) -> Mode:
        return next(row.mode for row in self.rows if row.button.isChecked())

    def _step(self, by: int) -> None:
        """The arrows choose, wherever the focus is; the rows are no siblings, so Qt's own arrows would stop in each."""
        row = self.rows[(self.rows.index(next(row for row in self.rows if row.button.isChecked())) + by) % len(self.rows)]
        if row.isVisible():
            row.button.setChecked(True)
            row.button.setFocus()

    def _press_default(self) -> None:
        button = self.quit if self.quit.hasFocus() else self.copy if self.copy.hasFocus() else self.install
        if button.isVisible():
            button.click()

    def _install(self) -> None:
        mode = self.chosen()
        self._ending = False
        self._say(f"Installing {mode.title}", size_of(mode) + ". The program starts by itself when it is done.")
        for row in self.rows:
            row.hide()
        self._list()
        self._unread = ""
        self.enforce.hide()
        self.log.clear()
        for part in (self.log, self.bar):
            part.show()
        self.copy.hide()
        self.install.hide()
        self.quit.setText("Cancel")
        self.quit.setFocus()
        self._fit()
        # pip draws no bar into a pipe; unbuffered, its lines come as they are written.
        words = ["-u", "-I", str(PROGRAM / "launcher"), "--mode", mode.name, "--install-only", *self._flags]
        self.process.start(sys.executable, words)

    def _read(self) -> None:
        text = bytes(self.process.readAllStandardOutput()).decode(errors="replace").replace("\r\n", "\n")
        self.log.moveCursor(QTextCursor.MoveOperation.End)
        self.log.insertPlainText(text)
        self.log.moveCursor(QTextCursor.MoveOperation.End)
        *lines, self._unread = (self._unread + text).split("\n")
        for line in lines:
            self._progress.feed(line)
        self.packages.follow(self._progress)
        if self._progress.fraction:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * self._progress.fraction))

    def _finished(self, status: int, how: QProcess.ExitStatus) -> None:
        self._read()
        if status == 0 and how == QProcess.ExitStatus.NormalExit:
            self.status = 0
            self.close()
            return
        self._progress.fail()
        self.packages.follow(self._progress)
        lines = [line for line in self.log.toPlainText().splitlines() if line.strip()]
        if self._ending:
            self._say("Cancelled", "What was fetched is kept; Install goes on with what is missing.")
        else:
            self._say("The installation did not finish", lines[-1] if lines else "The installer ended without a word.", failed=True)
        for row in self.rows:
            row.show()
        self.bar.hide()
        self.bar.setRange(0, 0)
        self.enforce.show()
        self.copy.show()
        self.install.setText("Install" if self._ending else "Retry")
        self.install.show()
        self.install.setFocus()
        self.quit.setText("Quit")
        self._fit()

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.log.appendPlainText(f"{sys.executable} could not be started: {self.process.errorString()}.")
            self._finished(CLOSED, QProcess.ExitStatus.CrashExit)

    def _say(self, title: str, note: str, failed: bool = False) -> None:
        self.title.setText(title)
        self.note.setText(note)
        self.note.setObjectName("failed" if failed else "quiet")
        self.note.style().unpolish(self.note)
        self.note.style().polish(self.note)

    def _quit_or_cancel(self) -> None:
        if self.process.state() == QProcess.ProcessState.NotRunning:
            self.close()
        else:
            self._end_process()

    def _end_process(self) -> None:
        """SIGTERM: the launcher then ends pip and pip's children before itself."""
        self._ending = True
        self.process.terminate()
        if not self.process.waitForFinished(KILL_AFTER_MS):
            self.process.kill()
            self.process.waitForFinished(KILL_AFTER_MS)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.process.state() != QProcess.ProcessState.NotRunning:
            self._end_process()
        event.accept()


def take_fonts(application: QApplication) -> None:
    """The letters of the window, so that both look like one program; without their files the system's stay."""
    for file in sorted((PROGRAM / "qml" / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(file))
    if "Inter" in QFontDatabase().families():
        application.setFont(QFont("Inter"))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preselect", default="cpu")
    parser.add_argument("--data", default="")
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--reinstall", action="store_true")
    options = parser.parse_args()
    flags = [flag for flag, given in (("--offline", options.offline), ("--reinstall", options.reinstall)) if given]
    if options.data:
        flags += ["--data", options.data]
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("sfumato")
    take_fonts(application)
    application.setStyleSheet(STYLE)
    chooser = Chooser(options.preselect, flags, options.data, options.reinstall)
    chooser.show()
    application.exec()
    return chooser.status


if __name__ == "__main__":
    sys.exit(main())
