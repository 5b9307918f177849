"""The trusted process between codekiln and an untrusted program.

A server process (see main) is started once and forks a supervisor for each program, alone in
its session and with one thread, so that it may enter namespaces and reap orphans without
disturbing the process that asked. A supervisor takes one request (see wire), gives one reply and
is gone; closing its connection cancels the run. The package imports only the standard library
and itself, because it runs as a top-level package without site-packages.

Trusted: this code, the kernel, the request. Not trusted: everything that the program does,
writes or leaves behind.
"""
