"""What can go wrong between a host and a board; each is one line that says what to check."""

from matweave.hw.errors import UserError


class LinkError(UserError):
    """The board cannot be worked with as it is."""


class PortError(LinkError):
    """The port cannot be opened, or went away."""


class NotOurs(LinkError):
    """Whatever is at the port does not speak this protocol, or is another engine."""


class NoAnswer(LinkError):
    """A device that answered before does not answer any more."""


class Refused(LinkError):
    """The device understood a request and did not do it."""


class DeviceReset(LinkError):
    """The device was reset since it was greeted: what it had been given is lost."""
