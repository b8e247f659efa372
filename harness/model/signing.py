"""Who signs requests, and how; no text that is made of it tells a secret."""

from __future__ import annotations

from dataclasses import dataclass

PAYLOADS = ("unsigned", "hex")


@dataclass(frozen=True, slots=True, repr=False)
class Signing:
    """An access key, and what is signed of bodies.

    `lasting` is a key that outlives the trial: it is the user's, and never leaves this machine.
    """

    access_key: str
    secret_key: str
    region: str = "us-east-1"
    payload: str = "unsigned"  # one of PAYLOADS
    lasting: bool = True

    def __repr__(self) -> str:
        """Neither key."""
        return f"Signing(region={self.region!r}, payload={self.payload!r})"

    @property
    def environment(self) -> dict[str, str]:
        """As AWS's own tools take it; where a child process must know the keys."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
        }

    @property
    def credentials(self) -> dict[str, str]:
        """As the engine's plan has it."""
        return {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "region": self.region,
        }
