"""The system-call filter: what no honest solution needs and an attack would use."""

import errno
import tempfile
from functools import cache

from harness.errors import SandboxUnavailable

DENIED = (
    # reading or changing other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
    # file work that no tracer sees
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    # another view of the file system or new namespaces
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    # the kernel itself
    "bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct", "quotactl",
    # state that outlives the run
    "add_key", "request_key", "keyctl",
    # clocks, and files opened by handle past every mount
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "open_by_handle_at",
)  # fmt: skip
CLONE_NAMESPACES = (
    0x00020000,  # NEWNS
    0x02000000,  # NEWCGROUP
    0x04000000,  # NEWUTS
    0x08000000,  # NEWIPC
    0x10000000,  # NEWUSER
    0x20000000,  # NEWPID
    0x40000000,  # NEWNET
)


@cache
def program() -> bytes:
    """Returns the filter as a program for bubblewrap's `--seccomp`.

    Raises:
        SandboxUnavailable: libseccomp is missing.
    """
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxUnavailable(
            f"This machine has no system-call filter: {error}.",
            hint="Install pyseccomp and libseccomp2 (Debian: apt-get install libseccomp2).",
        ) from error
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for name in DENIED:
        try:
            rules.add_rule(refuse, name)
        except (OSError, RuntimeError, ValueError):
            continue  # unknown to this libseccomp or this architecture, so it does not exist
    for flag in CLONE_NAMESPACES:
        rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    # Its flags lie in memory that a filter cannot read; the C library falls back to clone.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
