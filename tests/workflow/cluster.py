"""A real Slurm on this machine: two nodes, one with two GPUs that are not there, and no accounting database.

Debian's packages are installed where they are missing. Everything that is started is stopped, and the configuration in /etc/slurm is taken away, when
the context ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
CONFIGURATION = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
NODES = ("cpu1", "gpu1")

# cons_tres schedules cores, memory and GPUs apart; linuxproc and no cgroups work inside containers; without accounting the status comes from squeue.
SLURM = """\
ClusterName=yuragi
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/%n
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.%n.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=5
GresTypes=gpu
NodeName=cpu1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={cpu_port} CPUs=2 RealMemory=8000
NodeName=gpu1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={gpu_port} CPUs=2 RealMemory=8000 Gres=gpu:2
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=60 DefaultTime=10
PartitionName=gpu Nodes=gpu1 MaxTime=60 DefaultTime=10
"""
GPUS = "NodeName=gpu1 Name=gpu File=/dev/null,/dev/zero\n"
CGROUP = "CgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\n"


def why_not() -> str | None:
    """Why a Slurm cannot be started here, or None where it can."""
    if not os.environ.get("YURAGI_TEST_SLURM"):
        return "installs Debian's packages and starts daemons: set YURAGI_TEST_SLURM=1 to allow it"
    if os.geteuid() != 0:
        return "needs root to install packages and to start Slurm's daemons"
    if shutil.which("apt-get") is None:
        return "needs Debian's packages, and this system has no apt-get"
    if any((CONFIGURATION / name).exists() for name in FILES):
        return f"{CONFIGURATION} already holds a configuration, which the test would replace"
    return None


@contextlib.contextmanager
def slurm(state: Path) -> Iterator[None]:
    """A cluster that is up inside the block; its state and logs lie in ``state``."""
    _install()
    for folder in ("controller", *NODES):
        (state / folder).mkdir(parents=True)
    ports = dict(zip(("controller_port", "cpu_port", "gpu_port"), _free_ports(3), strict=True))
    texts = dict(zip(FILES, (SLURM.format(state=state, **ports), GPUS, CGROUP), strict=True))
    CONFIGURATION.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        for name, text in texts.items():
            (CONFIGURATION / name).write_text(text)
            stack.callback((CONFIGURATION / name).unlink)
        if not Path("/run/munge/munged.pid").exists():
            subprocess.run(["install", "-d", "-o", "munge", "-g", "munge", "-m", "755", "/run/munge"], check=True)
            subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True)
            stack.callback(_stop, Path("/run/munge/munged.pid"))
        subprocess.run(["slurmctld"], check=True)
        stack.callback(_stop, state / "slurmctld.pid")
        for node in NODES:
            subprocess.run(["slurmd", "-N", node], check=True)
            stack.callback(_stop, state / f"slurmd.{node}.pid")
        _wait_until_idle(state)
        yield


def _install() -> None:
    if all(shutil.which(program) for program in ("slurmctld", "slurmd", "sbatch", "munged")):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *PACKAGES], check=True, env=environment)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_until_idle(state: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        states = subprocess.run(["sinfo", "--noheader", "--Node", "--format", "%t"], capture_output=True, text=True).stdout.split()
        if states == ["idle"] * len(NODES):
            return
        time.sleep(0.25)
    logs = "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in sorted(state.glob("*.log")))
    raise RuntimeError(f"Slurm's nodes did not become idle: {states}\n{logs}")


def _stop(pid_file: Path) -> None:
    """Ask a daemon to end by its pid file and wait until it has."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
