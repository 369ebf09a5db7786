"""A program that writes in the rows of a table until it is killed, and tells on its standard output what it wrote when.

Run as `python fix_row_typist.py FOLDER SCHEMA`, with the state folder of its own, and with the server as the fields of
a profile in JSON on its standard input.
"""

import itertools
import json
import os
import sys
import time


def main() -> None:
    """Write for ever: a value a time in column 1 of the rows of "t", one after the other, and some new rows."""
    os.environ["PGEXPLORER_HOME"], schema = sys.argv[1:]
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QTimer

    from pgexplorer import app
    from pgexplorer.db.profile import Profile

    application = app.start([])
    window = application.workbench
    application.server.open(Profile(**json.loads(sys.stdin.readline())))
    numbers = itertools.count()
    panel = None

    def turn() -> None:
        nonlocal panel
        if panel is None:
            relation = window.schema.relation(schema, "t")
            if relation is not None:
                window.deck.open_table(relation)
                panel = window.deck.tabs.currentWidget()
            return
        if panel.editing.editable is None:
            return
        number = next(numbers)
        if number % 10 == 9:
            panel.editing.insert_row()
        panel.editing.write(number % 50, 1, f"typed {number}")
        print(f"{time.time():.3f} {number} {panel.editing.counts.total}", flush=True)

    timer = QTimer(interval=20)
    timer.timeout.connect(turn)
    timer.start()
    application.qt.exec()


if __name__ == "__main__":
    main()
