"""What a program inside can see and do: next to nothing."""

import hashlib
import importlib.metadata
import json
import os
import re
import sys
from pathlib import Path

import pytest

from harness.sandbox import mode, root
from tests.harness.box import Box

PROJECT = Path(__file__).parents[2]
PACKAGES = ("auditor", "rules", "environments", "harness", "reports", "tests")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


CRAWLER = """
import hashlib, json, os, stat
wanted = set(json.load(open("sizes.json")))
seen, hashes, names = 0, {}, []
for folder, folders, files in os.walk("/", followlinks=False):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/sys")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):
                continue
            content = open(path, "rb").read() if found.st_size in wanted else b""
        except OSError:
            continue
        seen += 1
        names.append(path)
        if content:
            hashes[hashlib.sha256(content).hexdigest()] = path
json.dump([seen, hashes, names], open("found.json", "w"), ensure_ascii=True)
"""


def test_nothing_of_ours_opens_inside(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q2: a crawler reads every file it can; none is ours, a key or another attempt's."""
    keys, other = tmp_path / "keys", tmp_path / "other-attempt"
    secret = "a private thing, long enough to be told from others by its hash\n"
    for folder in (keys, other):
        folder.mkdir()
        (folder / "secret").write_text(secret)
        (folder / "secret").chmod(0o644)
    monkeypatch.setenv("HARNESS_HOME", str(keys))
    hidden = {
        hashlib.sha256(content).hexdigest(): path
        for path in (tmp_path / "keys/secret", other / "secret", *_project_files())
        if (content := path.read_bytes()).strip() and len(content) > 40
    }
    assert len(hidden) > 30
    sizes = sorted({path.stat().st_size for path in hidden.values()})
    box.write("solution/sizes.json", str(sizes))
    run = box.python(CRAWLER)
    seen, hashes, names = json.loads((run.layer / "solution/found.json").read_text())
    assert seen > 5000, "the crawler did not get around"
    assert "/home/agent/solution/sizes.json" in names
    assert {hashes[found]: hidden[found] for found in hashes.keys() & hidden.keys()} == {}
    assert [name for name in names if re.search("/earned-|/__editable__.*earned", name)] == []
    within = [n for n in names if Path(n).is_relative_to(PROJECT)]
    assert all(Path(name).is_relative_to(sys.prefix) for name in within)
    assert not any(Path(name).is_relative_to(tmp_path) for name in names)


def _project_files() -> list[Path]:
    found = [path for name in PACKAGES for path in (PROJECT / name).rglob("*.*")]
    installed = [Path(str(f.locate())) for f in importlib.metadata.files("earned") or []]
    return [
        path for path in (*found, *installed)
        if path.is_file() and "__pycache__" not in path.parts and path.name != "INSTALLER"
    ]  # fmt: skip


def test_our_packages_do_not_import_and_others_do(box: Box) -> None:
    found = box.json(
        "import importlib.util, importlib.metadata, json\n"
        f"names = {(*PACKAGES, 'torch', 'numpy')!r}\n"
        "importlib.metadata.entry_points(); importlib.metadata.packages_distributions()\n"
        "specs = [importlib.util.find_spec(name) for name in names]\n"
        "print(json.dumps([n for n, s in zip(names, specs) if s and s.origin]))"
    )
    assert found == ["torch", "numpy"]


def test_what_is_ours_is_hidden_wherever_it_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    root.ours.cache_clear()
    keys = Path(sys.prefix, "keys")
    monkeypatch.setenv("HARNESS_HOME", str(keys))
    try:
        assert keys in root.ours()
        assert PROJECT / "environments" in root.ours()
        assert not any(Path(sys.prefix).is_relative_to(path) for path in root.ours())
        scripts = {str(Path(sys.executable).parent / name) for name in ("auditor", "harness")}
        assert scripts <= set(root._interpreter())
    finally:
        root.ours.cache_clear()


def test_the_user_has_no_rights(box: Box) -> None:
    found = box.json(
        "import json, os\n"
        "status = dict(l.split(':\\t', 1) for l in open('/proc/self/status') if ':\\t' in l)\n"
        "print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(),"
        " {k: v.strip() for k, v in status.items() if k[:3] in ('Cap', 'NoN', 'Sec')}]))"
    )
    uid = mode.uid()
    assert found[:2] == [[uid] * 3, [uid] * 3]
    assert 0 not in found[2]
    assert {found[3][f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (found[3]["NoNewPrivs"], found[3]["Seccomp"]) == ("1", "2")


def test_other_processes_and_the_host_do_not_show(box: Box) -> None:
    found = box.json(
        "import json, os, socket\n"
        "def reads(path):\n"
        "    try: return bool(os.listdir(path) if os.path.isdir(path) else open(path).read())\n"
        "    except OSError: return False\n"
        "print(json.dumps([sorted(int(p) for p in os.listdir('/proc') if p.isdigit()),"
        " [p for p in ('/proc/1/environ', '/proc/1/root/', '/proc/1/fd', '/proc/2/environ',"
        " '/etc/shadow', '/root/.ssh', '/var/log') if reads(p)],"
        " socket.gethostname(), sorted(os.listdir('/proc/self/fd')),"
        " sorted(os.listdir('/')), sorted(os.listdir('/tmp')), os.listdir('/dev/shm')]))"
    )
    pids, readable, host, descriptors, top, temporary, shared = found
    assert len(pids) <= 4
    assert (readable, host) == ([], "sandbox")
    assert descriptors == ["0", "1", "2", "3"]  # 3 is the listing's own
    assert set(top) - {"lib32", "libx32", "lib64"} == _beneath("/") | {
        "bin", "dev", "etc", "home", "lib", "proc", "run", "sbin", "sys", "tmp", "usr", "var",
    }  # fmt: skip
    assert (set(temporary), shared) == (_beneath("/tmp") | {"home"}, [])


def _beneath(folder: str) -> set[str]:
    """What leads to the interpreter in a folder, wherever this project is installed."""
    places = (Path(sys.prefix), Path(sys.base_prefix))
    return {place.relative_to(folder).parts[0] for place in places if place.is_relative_to(folder)}


REFUSED = """
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    ctypes.set_errno(0)
    return errno.errorcode.get(ctypes.get_errno(), "") if libc.syscall(number, *words) < 0 else "ok"
NEW_USER, AF_VSOCK = 0x10000000, 40
print(json.dumps({
    "io_uring_setup": call(425, 8, 0), "open_tree": call(428, 0, 0, 0), "clone3": call(435, 0, 0),
    "pidfd_getfd": call(438, 0, 0, 0), "ptrace": call(101, 0, 0, 0, 0),
    "mount": call(165, 0, 0, 0, 0, 0),
    "unshare": call(272, NEW_USER), "setns": call(308, 0, 0), "bpf": call(321, 0, 0, 0),
    "clone": call(56, NEW_USER | 17, 0, 0, 0, 0), "keyctl": call(250, 0, 0, 0, 0, 0),
    "add_key": call(248, 0, 0, 0, 0, 0), "process_vm_readv": call(310, 0, 0, 0, 0, 0, 0),
    "perf_event_open": call(298, 0, 0, 0, 0, 0), "userfaultfd": call(323, 0),
    "chroot": call(161, b"/"), "init_module": call(175, 0, 0, 0),
    "kexec_load": call(246, 0, 0, 0, 0),
    "memfd_create": call(319, b"x", 0), "shmget": call(29, 0, 4096, 0o1600),
    "vsock": call(41, AF_VSOCK, 1, 0), "vsock_disguised": call(41, AF_VSOCK | 1 << 32, 1, 0),
    "alg": call(41, 38, 5, 0), "tiocsti": call(16, 0, 0x5412, b"x"),
    "tiocsti_disguised": call(16, 0, 0x5412 | 1 << 32, b"x"),
}))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system calls by x86_64's numbers")
def test_system_calls_are_refused(box: Box) -> None:
    found = box.json(REFUSED)
    absent = {"clone3", "memfd_create", "shmget"}
    families = {"vsock", "vsock_disguised", "alg"}
    assert {name: found.pop(name) for name in absent} == dict.fromkeys(absent, "ENOSYS")
    assert {name: found.pop(name) for name in families} == dict.fromkeys(families, "EAFNOSUPPORT")
    assert found == dict.fromkeys(found, "EPERM")


def test_there_is_no_network(box: Box) -> None:
    found = box.json(
        "import json, socket, urllib.request\n"
        "names = [name for _, name in socket.if_nameindex()]\n"
        "errors = []\n"
        "for address in (('192.0.2.1', 80), ('1.1.1.1', 53)):\n"
        "    try: socket.create_connection(address, 2)\n"
        "    except OSError as e: errors.append(e.errno)\n"
        "print(json.dumps([names, errors]))"
    )
    assert found == [["lo"], [101, 101]]  # network is unreachable


def test_the_file_system_is_read_only_but_for_the_workspace(box: Box) -> None:
    places = ("/", "/etc", "/usr", "/dev", "/run", "/var", "/home", "/proc/sys/kernel", "/sys",
              sys.prefix, sys.base_prefix)  # fmt: skip
    found = box.json(
        "import json, os\n"
        "made = []\n"
        f"for place in {(*places, '/tmp', '/home/agent', '/var/tmp', '/dev/shm', '/tmp/home')!r}:\n"
        "    try: open(os.path.join(place, 'mark'), 'w'); made.append(place)\n"
        "    except OSError: pass\n"
        "print(json.dumps(made))"
    )
    assert found == ["/tmp", "/home/agent", "/var/tmp", "/dev/shm", "/tmp/home"]


PLANT = """
import ctypes, os, socket, subprocess, sys, sysconfig
home, kept = os.environ["HOME"], []
def plant(path):
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file: file.write("planted")
    except OSError: pass
for path in PLACES: plant(path.replace("~", home))
if hasattr(os, "mkfifo"): os.mkfifo("/tmp/fifo")
for name in ("\\0planted", "/tmp/socket"):
    kept.append(socket.socket(socket.AF_UNIX)); kept[-1].bind(name); kept[-1].listen()
kept.append(socket.create_server(("127.0.0.1", 4711)))
ctypes.CDLL(None).syscall(29, 4711, 4096, 0o1666)
ctypes.CDLL(None).syscall(68, 4711, 0o1666)
if os.fork() == 0:
    os.setsid(); os.close(1); os.close(2)
    import time; time.sleep(60)
"""
PLACES = [
    "/tmp/mark", "/tmp/home/mark", "/var/tmp/mark", "/dev/shm/mark", "/run/mark", "~/.bashrc",
    "~/.config/mark", "~/.cache/torch/mark", "~/.local/lib/python3.11/site-packages/mark.pth",
    "~/.local/lib/python3.11/site-packages/sitecustomize.py", "/home/agent/mark",
    "/home/agent/solution/mark", "/home/agent/solution/__pycache__/mark.pyc", "/etc/ld.so.preload",
    "/home/.mark", "/dev/mqueue/mark", "/proc/self/comm",
    f"{sys.prefix}/lib/python3.11/site-packages/mark.pth", f"{sys.prefix}/mark",
]  # fmt: skip
LOOK = """
import ctypes, json, os, socket
found = []
for path in PLACES:
    try:
        if "planted" in open(path.replace("~", os.environ["HOME"])).read(): found.append(path)
    except OSError: pass
found += [p for p in ("/tmp/fifo", "/tmp/socket") if os.path.lexists(p)]
for name in ("\\0planted", ("127.0.0.1", 4711)):
    try:
        socket.socket(socket.AF_UNIX if isinstance(name, str) else socket.AF_INET).connect(name)
        found.append(str(name))
    except OSError: pass
if ctypes.CDLL(None).syscall(29, 4711, 4096, 0) >= 0: found.append("shm")
if ctypes.CDLL(None).syscall(68, 4711, 0) >= 0: found.append("queue")
found += [f"pid {p}" for p in os.listdir("/proc") if p.isdigit() and int(p) > 9]
print(json.dumps(found))
"""


def test_nothing_planted_in_one_run_is_there_in_the_next(box: Box) -> None:
    """Q4: fresh home, temporary folders, shared memory, sockets and processes."""
    places = f"PLACES = {PLACES!r}\n"
    planted = box.python(places + PLANT)
    assert planted.returncode == 0, planted.stderr
    assert planted.survivors == 1
    assert (planted.layer / "mark").read_text() == "planted"
    again = box.json(places + PLANT.replace("if os.fork", "if 0 and os.fork") + LOOK)
    assert {"/tmp/mark", "/tmp/socket", "\0planted", "~/.bashrc"} <= set(again), "no witness"
    assert box.json(places + LOOK) == []
