"""One window for each data folder: a second start hands its words to the first over a local socket of the user's own, and ends.

The socket's name comes from the folder; a file lock decides who is first, and the system lets go of it when its holder dies by whatever cause.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PyQt5.QtCore import QDeadlineTimer, QLockFile, QObject, QThread, pyqtSignal
from PyQt5.QtNetwork import QLocalServer, QLocalSocket

LOCK_FILE = "window.lock"
PATIENCE_MS = 5000
RETRY_MS = 50
# More than any address may have, so that one that is too long is refused by the window, with a sentence. A character takes up to twelve bytes on the way.
WORDS_AT_MOST = 2100
MESSAGE_AT_MOST = 32 << 10


def socket_name(data: Path) -> str:
    """A name that two starts with the same data folder agree on; short, since the path of a socket is."""
    return "sfumato-" + hashlib.sha256(str(data.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]


class SingleWindow(QObject):
    """The first start listens; what later ones say arrives as `called(words)`."""

    called = pyqtSignal(str)

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = socket_name(data)
        self._lock = QLockFile(str(data / LOCK_FILE))
        # Never stale by age: a window stays open for weeks. A dead holder is noticed by its process number.
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # a folder that cannot be written has no lock, and no window is turned away

    def is_first(self) -> bool:
        """Become the window of this data folder; False where another one is."""
        if not self._lock.tryLock(0) and self._lock.error() == QLockFile.LockError.LockFailedError:
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._greet)
        self._server.listen(self._name)
        return True

    def hand_over(self, words: str) -> bool:
        """Give `words` to the first window, "" to bring it to the front; False if it does not answer."""
        socket = QLocalSocket()
        patience = QDeadlineTimer(PATIENCE_MS)
        socket.connectToServer(self._name)
        # The first may have the lock and not listen yet.
        while not socket.waitForConnected(int(patience.remainingTime())):
            if patience.hasExpired():
                return False
            QThread.msleep(RETRY_MS)
            socket.connectToServer(self._name)
        socket.write(json.dumps({"words": words[:WORDS_AT_MOST]}).encode() + b"\n")
        answered = socket.waitForBytesWritten(PATIENCE_MS) and socket.waitForReadyRead(PATIENCE_MS)
        socket.disconnectFromServer()
        return answered

    def close(self) -> None:
        """Let go of the folder."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _greet(self) -> None:
        while self._server is not None and self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            socket.readyRead.connect(lambda socket=socket: self._read(socket))
            socket.disconnected.connect(socket.deleteLater)
            self._read(socket)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > MESSAGE_AT_MOST:
                socket.abort()
            return
        line = bytes(socket.readLine(MESSAGE_AT_MOST))
        socket.write(b"ok\n")
        try:
            words = json.loads(line).get("words", "")
        except (ValueError, AttributeError):
            return
        self.called.emit(words if isinstance(words, str) else "")
