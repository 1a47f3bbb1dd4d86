"""Azure and the deployed site behind a proxy, for hooks that run as programs.

They reach it as from a company's network: by `HTTPS_PROXY`, whose certificates `SSL_CERT_FILE`
vouches for.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("management.azure.com", "oai-x.openai.azure.com", "func-x.test", "page.test")


@dataclass(frozen=True)
class Cloud:
    """`routes` are answers by prefixes of `METHOD url`, of which the longest wins."""

    process: dict[str, str]
    routes: dict[str, tuple[int, Any]]
    asked: list[tuple[str, bytes]] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    """A certificate for all hosts, with its key, that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "proxy.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@contextlib.contextmanager
def serve_cloud(folder: Path, routes: dict[str, tuple[int, Any]]) -> Iterator[Cloud]:
    file = certificate(folder)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(file)

    class Proxy(BaseHTTPRequestHandler):
        host = ""

        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.host = self.path.partition(":")[0]
            self.close_connection = True
            plain = self.rfile, self.wfile
            with secure.wrap_socket(self.connection, server_side=True) as tunnel:
                with tunnel.makefile("rb") as reader, tunnel.makefile("wb", buffering=0) as writer:
                    self.rfile, self.wfile = reader, writer  # type: ignore[assignment]
                    self.handle_one_request()
                self.rfile, self.wfile = plain

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = f"{self.command} https://{self.host}{self.path}"
            cloud.asked.append((asked, body))
            fitting = [start for start in cloud.routes if asked.startswith(start)]
            status, content = cloud.routes[max(fitting, key=len)] if fitting else (599, None)
            self.send_response(status)
            for header in ("Content-Security-Policy", "Permissions-Policy"):
                self.send_header(header, "default-src 'self'")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(b"" if content is None else json.dumps(content).encode())

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_address[1]}"
    cloud = Cloud({"HTTPS_PROXY": address, "SSL_CERT_FILE": str(file)}, routes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
