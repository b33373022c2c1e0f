"""Several pages at once: a process a page, so that one core draws while the other trains."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from elrcn.errors import ElrcnError
from elrcn.files import write

#: Names a file that holds how many folds a page may train at once where its notebook leaves it
#: open. It is read before every method, so the last page of all gets every core.
SHARE = "ELRCN_SHARE"


def jobs_here(pages: int, wanted: int = 0) -> int:
    """Pages to execute at once: `wanted`, else two if there are as many pages and cores.

    More than two would hold more memory and gain nothing: pages train most of their time.
    """
    if not hasattr(os, "fork"):
        return 1
    return max(1, min(pages, wanted or min(2, os.cpu_count() or 1)))


def run_parallel(
    task: Callable[[str, int], float], names: Sequence[str], jobs: int, share: Path
) -> Iterator[tuple[str, float]]:
    """Call ``task(name, slot)`` for every name, `jobs` at once, each in a process of its own.

    Parameters
    ----------
    task : callable
        Gives the seconds it took. `slot` is 0..jobs - 1, free again when the task has ended.
    names : sequence of str
        Begun in this order.
    jobs : int
        Processes at once.
    share : Path
        File that holds, while they run, how many cores each may take.

    Yields
    ------
    name, seconds
        As the tasks end.

    Raises
    ------
    ElrcnError
        The first one that a task raised, once the others that were running have ended; no
        further one is begun. An interruption is passed on to all that run.
    """
    context = multiprocessing.get_context("fork")
    waiting, running, failed = deque(names), {}, None
    free, cores = list(range(jobs))[::-1], os.cpu_count() or 1
    try:
        while running or (waiting and not failed):
            while waiting and free and not failed:
                name, slot = waiting.popleft(), free.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_answer, args=(task, name, slot, theirs))
                process.start()
                theirs.close()
                running[ours] = (process, name, slot)
            write(share, str(max(1, cores // max(1, len(running)))))
            for ours in wait(list(running)):
                process, name, slot = running.pop(ours)
                free.append(slot)
                try:
                    seconds, error = ours.recv()
                except EOFError:
                    seconds, error = 0.0, (f"The process of {name} was killed.", None, None)
                process.join()
                if error is None:
                    yield name, seconds
                else:
                    failed = failed or error
    except BaseException:
        for process, _, _ in running.values():
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process, _, _ in running.values():
            process.join()
        raise
    finally:
        share.unlink(missing_ok=True)
    if failed:
        if failed[0] == "KeyboardInterrupt":
            raise KeyboardInterrupt
        raise ElrcnError(failed[0], where=failed[1], fix=failed[2])


def _answer(task, name: str, slot: int, pipe) -> None:
    try:
        pipe.send((task(name, slot), None))
    except ElrcnError as error:
        pipe.send((0.0, (error.what, error.where and str(error.where), error.fix)))
    except KeyboardInterrupt:
        pipe.send((0.0, ("KeyboardInterrupt", None, None)))
    except Exception as error:
        pipe.send((0.0, (f"{name}: {type(error).__name__}: {error}", None, None)))
