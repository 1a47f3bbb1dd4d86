"""Certificates of the bench's own authority."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import trustme


def issue_certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """Writes the certificate and key of a server at `address`, and the authority that issued it."""
    authority = trustme.CA()
    pair, trusted = folder / "pair.pem", folder / "authority.pem"
    issued = authority.issue_cert(address, "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(pair))
    authority.cert_pem.write_to_path(str(trusted))
    return pair, trusted


def add_public_authorities(trusted: Path) -> Path:
    """A bundle of `trusted` and the public authorities, whose loading is part of the real cost."""
    bundle = trusted.with_name("bundle.pem")
    bundle.write_text(Path(certifi.where()).read_text() + trusted.read_text())
    return bundle


def server_context(pair: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    return context
