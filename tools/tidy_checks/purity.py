"""The pure floors, compiled: nothing from outside but a handful of functions, nothing mutable.

Each file is compiled for wasm32, with wasi-libc's headers and no other system's, and the
undefined symbols of the object are compared with a list. A second object, for this machine,
shows mutable globals, which a wasm object does not tell from constants.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import tempfile

from .common import Finding
from .layers import MAY_INCLUDE, PURE_FLOORS

ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "strlen"}
# What the compiler itself calls: 128-bit integers and its own stack pointer.
COMPILER = re.compile(r"^__(stack_pointer|indirect_function_table|memory_base|table_base)$")
BUILTIN = re.compile(r"^__(mul|u?div|u?mod|ashl|ashr|lshr|clz|ctz|popcount)ti[23]$|^__multi3$")

WASI_INCLUDE = "/usr/include/wasm32-wasi"


def nm(path):
    """(type, name) of each symbol of an object."""
    out = subprocess.run(["llvm-nm", str(path)], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        *_, kind, name = line.split()
        yield kind, name


def compile_one(tree, path, folder):
    """The symbols of `path` for wasm32 and for this machine, or the compiler's complaint."""
    common = ["clang", "-std=c11", "-O0", "-w", "-I", str(tree.root / "include")]
    common += ["-I", str(tree.root / "src"), "-c", str(tree.root / path)]
    stem = folder / path.replace("/", "_")
    wasm = ["--target=wasm32-wasi", "-nostdlibinc", "-isystem", WASI_INCLUDE]
    wasm += ["-o", f"{stem}.wasm.o"]
    result = subprocess.run(common + wasm, capture_output=True, text=True)
    if result.returncode:
        return result.stderr, [], []
    native = ["-fno-pic", "-o", f"{stem}.o"]
    result = subprocess.run(common + native, capture_output=True, text=True)
    if result.returncode:
        return result.stderr, [], []
    return "", list(nm(f"{stem}.wasm.o")), list(nm(f"{stem}.o"))


def compile_all(tree, paths):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = {path: pool.submit(compile_one, tree, path, folder) for path in paths}
            return {path: job.result() for path, job in jobs.items()}


def check_undefined(path, symbols, floor_of_symbol):
    floor = path.split("/")[1]
    for kind, name in symbols:
        if kind != "U" or name in ALLOWED or COMPILER.match(name) or BUILTIN.match(name):
            continue
        owner = floor_of_symbol.get(name)
        if owner == floor or owner in MAY_INCLUDE[floor]:
            continue
        if owner:
            yield Finding(path, 1, "purity", f"calls {name} of {owner}, not under {floor}")
        elif name.startswith("sdb_"):
            yield Finding(path, 1, "purity", f"calls {name}, which no pure floor defines")
        else:
            yield Finding(path, 1, "purity", f"calls {name}: not for a pure floor")


def check_defined(path, wasm, native):
    for kind, name in wasm:
        if kind == "T" and not name.startswith("sdb_"):
            yield Finding(path, 1, "prefix", f"{name} is visible and does not begin with sdb_")
    for kind, name in native:
        if kind in "bBdDC" and not name.startswith(".L"):
            yield Finding(path, 1, "mutable-global", f"{name} is a mutable global in a pure floor")


def check(tree):
    paths = tree.files([f"src/{floor}" for floor in PURE_FLOORS], (".c",))
    objects = compile_all(tree, paths)
    floor_of_symbol = {
        name: path.split("/")[1]
        for path, (_, wasm, _) in objects.items()
        for kind, name in wasm
        if kind in "TDW"
    }
    findings = []
    for path, (complaint, wasm, native) in objects.items():
        if complaint:
            first = next((l for l in complaint.splitlines() if "error:" in l), complaint)
            findings.append(Finding(path, 1, "purity", f"does not compile for wasm32: {first}"))
        findings += check_undefined(path, wasm, floor_of_symbol)
        findings += check_defined(path, wasm, native)
    return findings
