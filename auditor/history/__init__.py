"""What an agent's own repository says of its work, read as data and never as a repository.

Git obeys the repositories it is run in: `core.fsmonitor`, hooks, filters, helpers and alternates
start programs or lead elsewhere. So no git is run there. The files that hold objects and names are
copied, each opened without following a link, beside a configuration of ours (`copying`); a process
of its own, with bounds on memory and time, reads the copy (`reader`), and only what it prints comes
back (`repository`).
"""
