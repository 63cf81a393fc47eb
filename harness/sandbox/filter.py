"""Decides which system calls a sandboxed program may make, as a BPF program for the kernel.

Everything is allowed but what reaches other processes, the kernel's configuration, new
namespaces, memory that no limit counts, or file access past path-based checks.
"""

import errno
import os
from functools import cache

from harness.errors import SandboxUnavailable

_REFUSED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp"),
    *("mount", "umount2", "pivot_root", "chroot", "open_by_handle_at", "fanotify_init"),
    *("bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("unshare", "setns", "quotactl", "acct", "swapon", "swapoff", "reboot", "syslog"),
    *("settimeofday", "clock_settime", "clock_adjtime"),
)
# Numbers, because an older libseccomp does not know the names; they are the same everywhere.
_REFUSED_SINCE_5_1 = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "open_tree_attr": 467,
}  # fmt: skip
# Memory that belongs to no process and no file system would escape every limit. Programs are
# told that the kernel has no such call, so that they take their other way.
_ABSENT: tuple[str | int, ...] = ("shmget", "msgget", "semget", "memfd_create")
_MEMFD_SECRET = 447
_CLONE3 = 435  # its flags lie in memory, where a filter cannot look; libc falls back to clone

_NEW_NAMESPACE = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into somebody's terminal


@cache
def program() -> bytes:
    """Returns the filter as the BPF program that `bwrap --seccomp` reads.

    Raises:
        SandboxUnavailable: pyseccomp or the library beneath it is missing.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxUnavailable(
            f"The system-call filter cannot be built: {error}.",
            hint="Install the package pyseccomp and the system library libseccomp2.",
        ) from error
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse, absent = seccomp.ERRNO(errno.EPERM), seccomp.ERRNO(errno.ENOSYS)
    for call in (*_REFUSED, *_REFUSED_SINCE_5_1.values()):
        rules.add_rule(refuse, call)
    for call in (*_ABSENT, _MEMFD_SECRET, _CLONE3):
        rules.add_rule(absent, call)
    for flag in _NEW_NAMESPACE:
        rules.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    for request in _TERMINAL_INPUT:
        rules.add_rule(refuse, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    # No network namespace holds back AF_VSOCK (the virtual machine's host) or AF_ALG.
    unknown = seccomp.ERRNO(errno.EAFNOSUPPORT)
    rules.add_rule(unknown, "socket", seccomp.Arg(0, seccomp.GT, _AF_NETLINK))
    for family in set(range(_AF_NETLINK)) - {_AF_UNIX, _AF_INET, _AF_INET6}:
        rules.add_rule(unknown, "socket", seccomp.Arg(0, seccomp.EQ, family))
    return _export(rules)


def _export(rules: "seccomp.SyscallFilter") -> bytes:  # type: ignore[name-defined]  # noqa: F821
    descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
    with open(descriptor, "r+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
