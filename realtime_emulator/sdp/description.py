"""A session description as data."""

from __future__ import annotations

from dataclasses import dataclass, field


class OfferRefused(ValueError):
    """The offer cannot be answered. `message` is the live service's and may be shown."""

    def __init__(self, reason: str, prefix: str = "Failed to parse offer: ") -> None:
        super().__init__(reason)
        self.message = prefix + reason


@dataclass(frozen=True, slots=True)
class Attribute:
    """One `a=` line; a property such as `a=rtcp-mux` has the value ""."""

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"a={self.name}:{self.value}" if self.value else f"a={self.name}"


@dataclass(slots=True, eq=False)
class Attributes:
    """The attributes of a session or of a medium, in their order."""

    attributes: list[Attribute] = field(default_factory=list)

    def find(self, name: str) -> str | None:
        """The value of the first attribute of this name."""
        return next((a.value for a in self.attributes if a.name == name), None)

    def values(self, name: str) -> list[str]:
        return [a.value for a in self.attributes if a.name == name]

    @property
    def direction(self) -> str | None:
        names = ("sendrecv", "sendonly", "recvonly", "inactive")
        return next((a.name for a in self.attributes if a.name in names), None)


@dataclass(slots=True, eq=False)
class Medium(Attributes):
    """One media section."""

    kind: str = ""
    port: int = 0
    protocol: str = ""
    formats: list[str] = field(default_factory=list)

    @property
    def mid(self) -> str:
        return self.find("mid") or ""


@dataclass(slots=True, eq=False)
class Description(Attributes):
    """A whole session description, without the lines that mean nothing to WebRTC."""

    media: list[Medium] = field(default_factory=list)

    def find_medium(self, kind: str) -> Medium | None:
        """The first section of this kind."""
        return next((medium for medium in self.media if medium.kind == kind), None)
