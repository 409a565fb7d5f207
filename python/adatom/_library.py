"""The C library: how it is found and called, and how texts, structs and failures become Python's.

One context serves the whole process. A context is used by one thread at a time, so that calls of several threads follow each
other; a call itself uses all processors, or the device.
"""
import ctypes.util
import dataclasses
import logging
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from . import errors
from ._binding import ffi

log = logging.getLogger("adatom")
API_VERSION = 1  # of the headers that _binding.py was made of
_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


class Progress(NamedTuple):
    """How far a call is: what progress callbacks get."""

    phase: str  # what done and total count, e.g. "episodes"
    done: int
    total: int  # 0: not known yet
    mean: float  # episodes: mean accuracy (0..1) so far, and half its 95 % interval; else 0
    ci95: float
    what: Optional[str]  # choosing: what is being tried


ProgressCallback = Callable[[Progress], Any]


def _open():
    beside = sorted(Path(__file__).parent.glob("libadatom.so*"))
    named = os.environ.get("ADATOM_LIBRARY")
    for path in [named] if named else [str(beside[0])] if beside else ["libadatom.so.0", ctypes.util.find_library("adatom")]:
        try:
            library = ffi.dlopen(path or "libadatom.so")
        except OSError as problem:
            last = problem
            continue
        if library.adatom_api_version() != API_VERSION:
            raise ImportError("%s has version %d of its interface; this package was made for %d" %
                              (path, library.adatom_api_version(), API_VERSION))
        return library
    raise ImportError("the library of Adatom was not found (%s): install it, or name the file in $ADATOM_LIBRARY" % last)


lib = _open()


def text(value) -> Optional[str]:
    """A C text, or None."""
    return ffi.string(value).decode("utf-8", "replace") if value != ffi.NULL else None


def _name(kind: str, value: int) -> str:
    return text(getattr(lib, kind + "_name")(value))


def _chosen(kind: str, member: str, value) -> int:
    out = ffi.new(kind + " *")
    if not isinstance(value, str) or not getattr(lib, kind + "_parse")(value.encode(), out):
        known = [_name(kind, number) for number in sorted(ffi.typeof(kind).elements) if _name(kind, number) != "default"]
        raise errors.UsageError("%s is %r; known: %s" % (member, value, ", ".join(known)))
    return out[0]


def _flags(value: str) -> int:
    out = ffi.new("uint32_t *")
    if not lib.adatom_augment_parse(value.encode(), out):
        raise errors.UsageError("augment is %r; known: none, shift, crop, flip and jitter, joined by +" % value)
    return out[0]


class Struct:
    """A C struct that is handed to a call, with the memory that its members point to. A member of None keeps its default."""

    def __init__(self, kind: str, **members):
        self.kept: List[Any] = []
        self.pointer = ffi.new(kind + " *")
        self.pointer.size = ffi.sizeof(kind)
        fields = dict(ffi.typeof(kind).fields)
        for name, value in members.items():
            if value is not None:
                setattr(self.pointer, name, self._convert(name, fields[name].type, value))

    def _convert(self, name: str, kind, value):
        if kind.kind == "enum":
            return _chosen(kind.cname.replace("enum ", ""), name, value)
        if name == "augment" and isinstance(value, str):
            return _flags(value)
        if kind.cname == "char *" and isinstance(value, (str, os.PathLike)):
            value = ffi.new("char[]", os.fsencode(value))
        elif isinstance(value, Struct):
            self.kept.append(value)
            return value.pointer
        elif kind.kind == "primitive" and kind.cname == "_Bool":
            return bool(value)
        elif kind.kind == "primitive" and kind.cname not in ("float", "double"):
            return _whole(name, value)
        if isinstance(value, ffi.CData):
            self.kept.append(value)
        return value


def _whole(name: str, value) -> int:
    if int(value) != value:
        raise errors.UsageError("%s is %r; a whole number was expected" % (name, value))
    return int(value)


def texts(values) -> Tuple[Any, list]:
    """An array of C texts, and what must be kept as long as it."""
    kept = [ffi.new("char[]", os.fsencode(value)) for value in values]
    array = ffi.new("char *[]", kept)
    return array, [*kept, array]


def plain(kind, value):
    """A member of a C struct as Python's value."""
    if kind.kind == "enum":
        return _name(kind.cname.replace("enum ", ""), value)
    if kind.cname == "char *" or (kind.kind == "array" and kind.item.cname == "char"):
        return text(value)
    if kind.kind == "array":
        return tuple(plain(kind.item, item) for item in value)
    if kind.cname == "_Bool":
        return bool(value)
    return value


def describe(cls, kind: str, function: str, *arguments):
    """Fills a dataclass from the struct that a describing function of the library fills."""
    info = Struct(kind)
    call(function, *arguments, info.pointer)
    return read(cls, info.pointer)


def read(cls, pointer):
    """A dataclass from the members of the same names."""
    fields = dict(ffi.typeof(pointer).item.fields)
    return cls(**{f.name: plain(fields[f.name].type, getattr(pointer, f.name)) for f in dataclasses.fields(cls) if f.name in fields})


class _Session:
    """The process's context, and what happens during a call."""

    def __init__(self):
        self.lock = threading.RLock()
        self.process = os.getpid()
        self.busy = False
        self.raised: Optional[BaseException] = None
        self.progress: Optional[ProgressCallback] = None
        self.ended: List[Tuple[str, Any]] = []  # objects that the garbage collector ended during a call
        params = Struct("adatom_context_params", log=_on_log)
        out = ffi.new("adatom_context **")
        if lib.adatom_context_create(params.pointer, out) != lib.ADATOM_OK:
            raise errors.OutOfMemoryError("out of memory")
        self.context = out[0]

    def call(self, function: str, arguments: tuple, progress: Optional[ProgressCallback]) -> None:
        if os.getpid() != self.process:
            raise errors.AdatomError("adatom was used before this process was forked; start processes with the method 'spawn', or "
                                     "import adatom in them first")
        with self.lock:
            if self.busy:
                raise errors.AdatomError("a progress callback must not call adatom")
            self.busy, self.raised, self.progress = True, None, progress
            try:
                status = getattr(lib, function)(*arguments)
            finally:
                self.busy, self.progress = False, None
            self._destroy_ended()
            raised, self.raised = self.raised, None
            if raised is not None:
                raise raised
            if status != lib.ADATOM_OK:
                kind = errors.by_status(text(lib.adatom_status_name(status)))
                raise kind(text(lib.adatom_context_message(self.context)) or text(lib.adatom_status_text(status)))

    def _destroy_ended(self) -> None:
        while self.ended:
            name, pointer = self.ended.pop()
            getattr(lib, name)(pointer)

    def destroy(self, name: str, pointer) -> None:
        if os.getpid() != self.process:
            return
        with self.lock:
            self.ended.append((name, pointer))
            if not self.busy:
                self._destroy_ended()


def _on_raise(_kind, value, _traceback):
    session.raised = value
    return False


@ffi.callback("void(void *, adatom_log_level, char *)", onerror=lambda *_: None)
def _on_log(_user, level, line):
    log.log(_LEVELS[level] if level < len(_LEVELS) else logging.DEBUG, "%s", text(line))


@ffi.callback("bool(void *, adatom_progress *)", error=False, onerror=_on_raise)
def on_progress(_user, now):
    """Called very often: lets Ctrl-C in, and hands news to the caller's callback, which may raise or return False to stop."""
    if now.poll or session.progress is None:
        return True
    news = Progress(_name("adatom_phase", now.phase), now.done, now.total, now.mean, now.ci95, text(now.what))
    if session.progress(news) is False:
        raise KeyboardInterrupt
    return True


session = _Session()
weakref.finalize(session, lambda context: lib.adatom_context_destroy(ffi.new("adatom_context **", context)), session.context)


def call(function: str, *arguments, progress: Optional[ProgressCallback] = None) -> None:
    """Calls a function that returns a status; a failure is an exception with the library's sentence. Ctrl-C ends functions that
    were given on_progress."""
    session.call(function, arguments, progress)


class Handle:
    """An object of the library, which ends with this one. ``pointer`` is the library's handle."""

    kind = ""  # of the C type

    def __init__(self, pointer):
        self.pointer = pointer
        weakref.finalize(self, session.destroy, self.kind + "_destroy", ffi.new(self.kind + " **", pointer))

    @classmethod
    def made(cls, function: str, *arguments, progress: Optional[ProgressCallback] = None):
        """The library's object that a function writes to its last argument."""
        out = ffi.new(cls.kind + " **")
        call(function, *arguments, out, progress=progress)
        return out[0]
