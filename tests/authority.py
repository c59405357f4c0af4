"""A certificate authority of a test's own."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER = x509.IPAddress(ip_address("127.0.0.1"))
_USES = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, as files."""

    cert: Path
    key: Path

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.cert.read_bytes()


class Authority:
    """Issues certificates, with its files in a directory."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = 0
        basic = x509.BasicConstraints(ca=True, path_length=None)
        own = self._builder(self._name, self._key.public_key()).add_extension(basic, critical=True)
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(self._signed(own))

    def issue(self, *names: x509.GeneralName, days: Sequence[int] = (-1, 1)) -> Issued:
        """Issue a certificate with these names, right from one day to another, seen from now."""
        self._issued += 1
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"leaf {self._issued}")])
        builder = self._builder(subject, key.public_key(), days)
        builder = builder.add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        stem = self.path.stem
        issued = Issued(
            self._directory / f"{stem}-{self._issued}.pem",
            self._directory / f"{stem}-{self._issued}.key",
        )
        issued.cert.write_bytes(self._signed(builder))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        issued.key.write_bytes(pem)
        return issued

    def client(self, shown: Issued | None = None) -> ssl.SSLContext:
        """Give what a client needs that trusts this authority, and shows a certificate or none."""
        context = ssl.create_default_context(cafile=str(self.path))
        if shown is not None:
            context.load_cert_chain(shown.cert, shown.key)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: Sequence[int] = (-1, 1)
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
