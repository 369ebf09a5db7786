"""Facts to wait for: no test sleeps for a time and hopes."""

import threading
import time


def until(fact, seconds=10.0):
    """Wait until *fact* holds and return it; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{fact} did not come true within {seconds} s"
        time.sleep(0.005)
    return found


def in_threads(count, work):
    """Run *work*(number) in *count* threads that begin together; return what each returned or raise its error."""
    together = threading.Barrier(count)
    results, errors = [None] * count, []

    def run(number):
        together.wait()
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"
    if errors:
        raise errors[0]
    return results
