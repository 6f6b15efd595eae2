"""The one thread for what nobody waits for, when it is closed."""

import threading

from edgecascade.cascade.background import Background

LONG = 20.0


def test_who_waits_is_let_go_when_it_closes() -> None:
    """What is let go is not waited for: it is never done, and ``finish`` says so."""
    begun, said, background = threading.Event(), list[bool](), Background()

    def wait(stopping: threading.Event) -> None:
        begun.set()
        stopping.wait(LONG)

    background.submit(wait)
    background.submit(lambda stopping: said.append(True))
    waiting = threading.Thread(target=lambda: said.append(background.finish()))
    waiting.start()
    assert begun.wait(LONG)
    background.close()
    waiting.join(LONG)

    assert said == [False] and not waiting.is_alive()
