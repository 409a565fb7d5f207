"""Exceptions. Each carries the library's sentence on what went wrong: which file, tensor or value, and what was expected."""

__all__ = [
    "AdatomError",
    "BadDataError",
    "CheckError",
    "DeviceLostError",
    "FileError",
    "NoDeviceError",
    "OutOfMemoryError",
    "UnsupportedError",
    "UsageError",
]


class AdatomError(Exception):
    """A call of the library failed. The classes below say how; ``status`` is the C interface's name of it."""

    status = "FAILED"


class UsageError(AdatomError, ValueError):
    """A value outside its documented range, or values that contradict each other."""

    status = "USAGE"


class BadDataError(AdatomError, ValueError):
    """A file, picture or label that is missing, damaged or does not fit."""

    status = "BAD_DATA"


class FileError(AdatomError, OSError):
    """Something that cannot be read or written."""

    status = "IO"


class OutOfMemoryError(AdatomError, MemoryError):
    """Memory, of the host or the device, does not suffice."""

    status = "OUT_OF_MEMORY"


class NoDeviceError(AdatomError):
    """No device matches; the sentence lists those there are."""

    status = "NO_DEVICE"


class UnsupportedError(AdatomError):
    """This device or build cannot do it."""

    status = "UNSUPPORTED"


class DeviceLostError(AdatomError):
    """The device was lost."""

    status = "DEVICE_LOST"


class CheckError(AdatomError):
    """A check of numbers failed."""

    status = "CHECK_FAILED"


def by_status(name: str) -> type:
    """The class of a status; AdatomError for those that have none of their own."""
    for kind in AdatomError.__subclasses__():
        if kind.status == name:
            return kind
    return AdatomError
