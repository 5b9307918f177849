"""The trusted process between codekiln and an untrusted program.

It is started anew for each program, alone in its session and with one thread, so that it may
fork, enter namespaces and reap orphans without disturbing the process that asked. It takes one
request (see wire) on standard input, gives one reply on standard output and is gone. Closing
its standard input cancels the run. It imports only the standard library and itself, because it
runs as a top-level package without site-packages (a third of the start-up time saved).

Trusted: this code, the kernel, the request. Not trusted: everything that the program does,
writes or leaves behind.
"""
