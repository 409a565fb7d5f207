"""Devices: Vulkan GPUs, software Vulkan drivers, and the CPU engine."""
import os
from dataclasses import dataclass
from typing import Dict, List, Optional, Union

from ._library import Handle, Struct, call, describe, ffi, lib, on_progress, read, session, text

__all__ = ["Device", "DeviceInfo", "devices"]


@dataclass(frozen=True)
class DeviceInfo:
    """What is known of a device."""

    index: int  #: position in the list; -1: the CPU engine, opened by its name
    backend: str  #: "vulkan" or "cpu"
    name: str
    type: str  #: "discrete", "integrated", "virtual", "other", "software" or "cpu"
    vendor_id: int
    device_id: int
    uuid: str
    pci: str
    driver_name: str
    driver_info: str
    api: str  #: Vulkan version, or the CPU's instruction set
    memory_bytes: int
    tensor_bytes: int  #: of the largest tensor
    timer: bool
    threads: int  #: of the CPU engine; else 0
    precision: str
    features: str
    usable: bool
    reason: str  #: why it is not usable


def devices() -> List[DeviceInfo]:
    """All devices, those that cannot be used too; Vulkan's first, the CPU engine last."""
    count = ffi.new("size_t *")
    call("adatom_device_list", session.context, ffi.NULL, 0, count)
    infos = ffi.new("adatom_device_info[]", max(count[0], 1))
    infos[0].size = ffi.sizeof("adatom_device_info")
    call("adatom_device_list", session.context, infos, len(infos), count)
    return [read(DeviceInfo, infos + i) for i in range(min(count[0], len(infos)))]


def cache_folder() -> Optional[str]:
    """Where compiled pipelines and decoded pictures are kept: the command line's folder."""
    xdg, home = os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", "")
    return (os.environ.get("ADATOM_CACHE_DIR") or (xdg + "/adatom" if xdg.startswith("/") else None) or
            (home + "/.cache/adatom" if home else None))


class Device(Handle):
    """An open device.

    ``select``: "auto" (the best GPU, else the CPU), "cpu", "vulkan" (a software driver too), an index, a UUID, a PCI address or
    part of the name. ``threads``: of the CPU engine, 0: all processors. ``precision``: "fp32", or "fp16" to keep frozen products in
    half precision where the device passes a check. ``cache``: whether compiled pipelines are kept in the user's cache folder.
    """

    kind = "adatom_device"

    def __init__(self, select: str = "auto", *, threads: int = 0, precision: str = "fp32", cache: bool = True):
        params = Struct("adatom_device_params", select=str(select), threads=threads, precision=precision, progress=on_progress,
                        cache_dir=cache_folder() if cache else None)
        super().__init__(self.made("adatom_device_open", session.context, params.pointer))

    @property
    def info(self) -> DeviceInfo:
        """What is known of it."""
        return describe(DeviceInfo, "adatom_device_info", "adatom_device_describe", self.pointer)

    @property
    def reason(self) -> str:
        """One sentence on which device was chosen and why."""
        return text(lib.adatom_device_reason(self.pointer))

    def __repr__(self) -> str:
        return "<adatom.Device %s>" % self.reason


_open: Dict[str, Device] = {}


def device_of(device: Union[Device, str, None]) -> Device:
    """The device itself, or the one of that name, which is opened once."""
    if isinstance(device, Device):
        return device
    select = device or "auto"
    if select not in _open:
        _open[select] = Device(select)
    return _open[select]
