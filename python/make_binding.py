"""make_binding.py INCLUDE OUTPUT: writes adatom/_binding.py, the C interface as cffi reads it, from the headers.

INCLUDE: the folder with adatom/*.h; OUTPUT: the file. $CC: the C compiler (cc). Needs cffi; what it writes needs only cffi's
run-time part."""
import os
import re
import subprocess
import sys

import cffi


def declarations(include):
    """What the headers declare, macros expanded, without what they take from the system's."""
    names = sorted(name for name in os.listdir(os.path.join(include, "adatom")) if name.endswith(".h"))
    source = "".join("#include <adatom/%s>\n" % name for name in names)
    command = [*os.environ.get("CC", "cc").split(), "-E", "-I", include, "-x", "c", "-"]
    expanded = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    kept, ours = [], False
    for line in expanded.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            ours = os.path.basename(os.path.dirname(marker.group(1))) == "adatom"
        elif ours:
            kept.append(line)
    return re.sub(r"__attribute__\s*\(\(.*?\)\)(?=\s)", "", "\n".join(kept), flags=re.DOTALL)


def main():
    include, output = sys.argv[1:]
    ffi = cffi.FFI()
    ffi.cdef(declarations(include))
    ffi.set_source("adatom._binding", None)
    ffi.emit_python_code(output + ".tmp")
    os.replace(output + ".tmp", output)


main()
