"""Keys and certificates of one control plane: an authority, serving certificates, and the signing key of ServiceAccount tokens."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate chain and its key, as files."""

    certificate: Path
    key: Path


class Certificates:
    """Writes into `folder`; the authority signs every serving and client certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._authority = trustme.CA(organization_name="control plane of a test")
        self.authority_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.authority_file)
        self.service_account_key = self._signing_key("service-account")

    @property
    def ca_pem(self) -> str:
        return self.authority_file.read_text()

    def serving(self, name: str, *hosts: str) -> CertificateFiles:
        """Issue a certificate for `hosts` (names, `*.` wildcards or addresses)."""
        return self._written(name, self._authority.issue_cert(*hosts))

    def client(self, user: str, group: str) -> CertificateFiles:
        """Issue a client certificate: its common name is the user, its organization the group.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates
        """
        return self._written(f"client-{user}", self._authority.issue_cert(f"{user}.invalid", common_name=user, organization_name=group))

    def _written(self, name: str, issued: trustme.LeafCert) -> CertificateFiles:
        files = CertificateFiles(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        files.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(files.key)
        return files

    def _signing_key(self, name: str) -> Path:
        """An RSA key; the API server and its clients also accept the file as the public key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self._folder / f"{name}.key"
        encoding, shape = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        path.write_bytes(key.private_bytes(encoding, shape, serialization.NoEncryption()))
        return path
