"""A pair of keys on an elliptic curve, as PEM files."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def key_pair(folder, password=None):
    """The paths of a new private key, encrypted if there is a password, and of its public key."""
    private = ec.generate_private_key(ec.SECP256R1())
    lock = serialization.NoEncryption()
    if password is not None:
        lock = serialization.BestAvailableEncryption(password.encode())
    folder.mkdir(exist_ok=True)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(private.private_bytes(pem, form, lock))
    public = private.public_key()
    (folder / "key.pub").write_bytes(
        public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return folder / "key.pem", folder / "key.pub"
