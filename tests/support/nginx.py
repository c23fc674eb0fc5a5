"""A real nginx as a reverse proxy with TLS before a relay, with a certificate of an authority that was made for the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import trustme

PATIENCE_S = 20.0
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")

_CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        location /relay {{
            proxy_pass http://127.0.0.1:{target};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}
}}
"""


def program() -> str | None:
    """Where nginx is, also for users whose PATH leaves out what is for administrators."""
    return shutil.which("nginx") or next((found for place in _PLACES if (found := shutil.which("nginx", path=place))), None)


class Nginx:
    """Listens with TLS on `port` and hands /relay on to `target`; its authority's certificate is in `authority`."""

    def __init__(self, folder: Path, target: int) -> None:
        found = program()
        assert found is not None, "nginx is not installed; ./start_linux.sh test installs it or says how (Debian: apt-get install nginx)."
        folder.mkdir(parents=True)
        self.authority = folder / "authority.pem"
        made = trustme.CA()
        made.cert_pem.write_to_path(self.authority)
        certificate = made.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for part in certificate.cert_chain_pems:
            part.write_to_path(folder / "certificate.pem", append=True)
        self.port = _free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=self.port, target=target))
        self._process = subprocess.Popen([found, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)])
        self._wait(folder)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def _wait(self, folder: Path) -> None:
        """Until it listens, or has ended."""
        ends = time.monotonic() + PATIENCE_S
        rest = threading.Event()
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                rest.wait(0.02)
            else:
                return
        self.close()
        raise AssertionError(f"nginx does not listen: {(folder / 'error.log').read_text()}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
