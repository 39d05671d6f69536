"""with_peak.py FILE COMMAND...: runs the command and writes its highest resident size, in bytes and as the kernel counted it, to FILE.RANK."""
import os
import signal
import sys

child = os.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: os.kill(child, number))
_, status, usage = os.wait4(child, 0)
with open(f"{sys.argv[1]}.{os.environ.get('OMPI_COMM_WORLD_RANK', '0')}", "w", encoding="ascii") as file:
    file.write(str(usage.ru_maxrss * 1024))
sys.exit(os.waitstatus_to_exitcode(status))
