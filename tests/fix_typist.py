"""A program that types into three tabs until it is killed, and tells on its standard output what it has typed when.

Run as `python fix_typist.py FOLDER`, with the state folder of its own.
"""

import itertools
import os
import sys
import time

WORDS = "select é, 😀 from t where a = 'it''s' -- note\n"


def main() -> None:
    """Type for ever."""
    os.environ["PGEXPLORER_HOME"] = sys.argv[1]
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QTimer

    from pgexplorer import app

    application = app.start([])
    panels = [application.workbench.deck.new_query() for _ in range(3)]
    for panel in panels:
        panel.document.path = None
    letters = itertools.cycle(WORDS)
    turn = itertools.cycle(range(3))

    def press() -> None:
        number = next(turn)
        cursor = panels[number].editor.textCursor()
        cursor.insertText(next(letters))
        panels[number].editor.setTextCursor(cursor)
        length = len(panels[number].editor.toPlainText())
        print(f"{time.time():.3f} {panels[number].name} {length}", flush=True)

    timer = QTimer(interval=20)
    timer.timeout.connect(press)
    timer.start()
    application.qt.exec()


if __name__ == "__main__":
    main()
