"""What well-known programs do with the words that they are given."""

import re
from collections.abc import Mapping, Sequence

LOOKERS = frozenset({
    "[", "[[", "basename", "cksum", "cmp", "diff", "dirname", "du", "df", "fd", "file", "find",
    "ls", "ll", "lsof", "md5sum", "readlink", "realpath", "sha1sum", "sha256sum", "sha512sum",
    "stat", "test", "tree", "wc", "which", "locate", "exa", "namei",
})  # fmt: skip
READERS = frozenset({
    "emacs", "gpg", "nano", "openssl", "sqlite3", "vi", "vim",
    "ag", "awk", "base64", "bat", "bzcat", "bzip2", "comm", "gzip", "iconv", "shuf", "split", "xz",
    "xzcat", "zstd", "zstdcat", "cat", "column", "cut", "egrep", "expand", "fgrep", "fold",
    "gawk", "grep", "head", "hexdump", "join", "jq", "less", "more", "mawk", "nl", "od", "paste",
    "perl", "rev", "rg", "sed", "sort", "strings", "tac", "tail", "tr", "uniq", "view", "xxd",
    "yq", "zcat", "zgrep", "zless", "gunzip", "batcat", "source", ".",
})  # fmt: skip
FIRST_IS_NO_FILE = frozenset({
    "ag", "awk", "egrep", "fgrep", "gawk", "grep", "jq", "mawk", "perl", "rg", "sed", "tr", "yq",
    "zgrep",
})  # fmt: skip
"""Readers whose first operand is a pattern or a program."""
IN_PLACE = {"sed": re.compile(r"-[nErsz]*i|--in-place"), "perl": re.compile(r"-[a-z]*i")}
"""Readers that write, and the option that makes them."""
COPIERS = frozenset({"cp", "install", "ln", "mv", "rsync", "scp", "link"})
WRITERS = frozenset({"tee", "touch", "truncate", "patch", "ed", "sponge"})
INTO = frozenset({"-t", "--target-directory"})
REMOVERS = frozenset({"rm", "rmdir", "shred", "unlink"})
MODERS = frozenset({"chattr", "chgrp", "chmod", "chown", "setfacl"})
WAITERS = frozenset({"inotifywait", "sleep", "usleep"})
KILLERS = frozenset({"kill", "killall", "pkill"})
SCHEDULERS = frozenset({"at", "batch", "crontab", "systemd-run"})
SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
BEFORE = frozenset({
    "!", "builtin", "command", "do", "doas", "elif", "else", "exec", "if", "ionice", "nice",
    "nohup", "setsid", "stdbuf", "sudo", "then", "time", "unbuffer", "until", "while", "{", "env",
    "timeout", "xargs", "watch",
})  # fmt: skip
"""Words that come before the command that they run or that they begin."""
VALUED: Mapping[str, frozenset[str]] = {
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "nice": frozenset({"-n"}), "ionice": frozenset({"-c", "-n"}), "sudo": frozenset({"-u", "-g"}),
    "env": frozenset({"-u", "-C"}), "xargs": frozenset({"-I", "-n", "-P", "-L", "-d"}),
    "watch": frozenset({"-n"}), "stdbuf": frozenset(),
    "head": frozenset({"-n", "-c"}), "tail": frozenset({"-n", "-c"}),
    "grep": frozenset({"-A", "-B", "-C", "-m"}), "sed": frozenset(), "cut": frozenset({"-d", "-f"}),
    "sort": frozenset({"-k", "-t"}), "awk": frozenset({"-F", "-v"}),
    "touch": frozenset({"-d", "-t"}),
    "truncate": frozenset({"-s"}), "od": frozenset({"-N", "-t", "-A"}),
}  # fmt: skip
"""Options that take the next word as their value."""
NAMES = frozenset({"-name", "-iname", "-path", "-wholename"})
"""Options of `find` that say what is found."""
SHOWS = frozenset({"archive", "blame", "cat-file", "checkout", "diff", "grep", "log", "show"})
"""What git does that tells of a repository's content."""
INTERPRETERS = frozenset({"julia", "lua", "node", "perl", "php", "ruby", "Rscript"})
QUIET = frozenset({
    ":", "alias", "apropos", "break", "chdir", "date", "echo", "exit", "export", "false", "help",
    "history", "hostname", "info", "let", "man", "mkdir", "mkfifo", "printf", "ps", "pwd", "read",
    "return", "set", "shift", "sleep", "true", "type", "umask", "unset", "wait", "whereis",
})  # fmt: skip
"""Programs to which a path is only a name."""
LEAVES = frozenset({"nohup", "setsid"})
PATTERNS = frozenset({"-e", "-f", "--regexp", "--file", "--expression"})
LOCAL = re.compile(r"^(localhost|127\.[\d.]+|0\.0\.0\.0|::1?|\[::1?\]|)$")
ADDRESS = re.compile(
    r"^(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^/@]*@)?(?P<host>\[[^\]]*\]|[^/:]*)"
)
OFFLINE = frozenset({"--no-index", "--version", "-V", "--help", "-h"})
INSTALLERS = {
    "apt": {"install", "update", "upgrade"}, "apt-get": {"install", "update", "upgrade"},
    "conda": {"create", "install", "update"}, "git": {"clone", "fetch", "ls-remote", "pull"},
    "huggingface-cli": {"download"}, "hf": {"download"}, "mamba": {"create", "install"},
    "npm": {"add", "ci", "i", "install"}, "pip": {"download", "install"},
    "uv": {"add", "install", "sync"},
    "poetry": {"add", "install"}, "cargo": {"install"}, "docker": {"pull"}, "gem": {"install"},
    "gsutil": {"cp", "rsync"}, "aws": {"s3"}, "kaggle": {"datasets", "competitions"},
}  # fmt: skip
"""Programs that fetch, by the words that make them do it."""
FETCHERS = frozenset({"aria2c", "curl", "ftp", "lynx", "nc", "rclone", "scp", "sftp", "wget"})


OUTPUTS = {
    "curl": {"-o", "--output"}, "gpg": {"-o", "--output"}, "openssl": {"-out"},
    "sort": {"-o", "--output"}, "wget": {"-O", "--output-document"}, "xz": {"-o"}, "zstd": {"-o"},
}  # fmt: skip
"""Programs that write where an option says, and the option."""


def fetching(stage: Sequence[str]) -> str:
    """Returns what one program of a pipeline fetches; empty if it fetches nothing."""
    words = [word.rpartition("/")[2] if number == 0 else word for number, word in enumerate(stage)]
    while words and (
        words[0] in ("sudo", "exec", "time", "nohup", "env", "!", "then", "do", "if")
        or re.match(r"^\w+=", words[0])
    ):
        words = words[1:]
    if len(words) > 3 and words[1] == "-m":  # python -m pip
        words = words[2:]
    if not words:
        return ""
    program = words[0].rstrip("0123456789.")
    rest = words[1:]
    if program in FETCHERS and any(map(_is_elsewhere, rest)):
        return f"runs `{program}` on another machine's address"
    verbs = INSTALLERS.get(program, set())
    if program == "uv" and rest[:1] == ["pip"]:
        rest = rest[1:]
    plain = [word for word in rest if not word.startswith("-")]
    if not plain or plain[0] not in verbs or OFFLINE & set(rest):
        return ""
    things = plain[1:2] if program == "git" else plain[1:]  # a clone's own folder follows
    local = bool(things) and all(re.match(r"^(\.|/|~|file:|.*\.(whl|txt)$)", it) for it in things)
    return "" if local else f"runs `{program} {plain[0]}`"


def _is_elsewhere(word: str) -> bool:
    if re.match(r"^(https?|ftp|s3|gs|ssh|git)://", word):
        match = ADDRESS.match(word)
        return match is not None and not LOCAL.match(match["host"])
    return re.match(r"^[\w.-]+@?[\w.-]*\.[a-z]{2,}(:.+|/.+)$", word) is not None
