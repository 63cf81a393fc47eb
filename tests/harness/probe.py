"""What a program sees of the run that it is in: all that could tell it which kind it is."""

SEEN = r"""
import json, os, platform, re, resource, sys, threading, time
clean = lambda text: re.sub(r"sandbox-\w+", "sandbox-X", text)
mounts = [" ".join(l.split()[3:]) for l in open("/proc/self/mountinfo")]
status = dict(l.rstrip("\n").split(":\t", 1) for l in open("/proc/self/status") if ":\t" in l)
seen = {
    "mounts": [re.sub(r"\b0:\d+", "0:N", clean(m)) for m in mounts],
    "environment": dict(os.environ),
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource)
               if n[:7] == "RLIMIT_"},
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "argv": sys.argv, "flags": str(sys.flags), "path": sys.path, "modules": sorted(sys.modules),
    "ids": [os.getresuid(), os.getresgid(), os.getgroups(), os.getpid(), os.getppid(),
            os.getsid(0)],
    "host": list(platform.uname()), "umask": os.umask(0o22), "cwd": os.getcwd(),
    "tree": sorted(os.path.join(f, n) for f, _, ns in os.walk("/home") for n in ns),
    "owner": os.stat(".").st_uid, "mode": os.stat("..").st_mode, "mtime": os.stat("data").st_mtime,
    "status": {k: v for k, v in status.items()
               if k[:3] in ("Cap", "NoN", "Sec", "Gro", "Sig", "Shd")},
    "affinity": sorted(os.sched_getaffinity(0)), "nice": os.nice(0),
    "command lines": [clean(open(f"/proc/{p}/cmdline").read()) for p in ("1", "2", "self")],
    "dev": sorted(os.listdir("/dev")), "etc": sorted(os.listdir("/etc")), "run": os.listdir("/run"),
    "parent": open(f"/proc/{os.getppid()}/comm").read(), "threads": threading.active_count(),
    "cgroup": open("/proc/self/cgroup").read().count("\n"), "timezone": time.tzname,
}
"""
"""Python that leaves what it saw in `seen`, by kind; a file `data` lies beside it."""
PRINT = "print(json.dumps(seen, default=str))\n"
