"""Compiled on import, kept beside the source while that does not change."""
import ctypes
import os
import pathlib
import subprocess

_here = pathlib.Path(__file__).parent
_c = _here / "scan.c"
_so = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"scan-{os.getpid()}.so"
subprocess.run(["gcc", "-O3", "-mtune=native", "-fPIC", "-shared", _c, "-o", _so], check=True)
_lib = ctypes.CDLL(str(_so))
_so.unlink()
write = _lib.chunk_write
write.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_uint32, ctypes.c_uint32]
write.restype = None
