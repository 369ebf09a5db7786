"""Loading the sample into the demo server: how far it is, how it is stopped, what came of it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar

from pgexplorer.demo_host import DemoHost
from pgexplorer.ui.widgets.message_bar import MessageBar


class SampleBar(QProgressBar):
    """A thin line that grows while the sample is loaded."""

    changed = Signal()  # loading has begun or ended
    loaded = Signal()

    def __init__(self, demo: DemoHost, message: MessageBar) -> None:
        super().__init__(textVisible=False, maximum=1000)
        self.setObjectName("window.sample_bar")
        self.setAccessibleName("Loading the sample")
        self.setProperty("thin", True)
        self.hide()
        self._demo = demo
        self._message = message
        demo.sample_progressed.connect(self._progressed)
        demo.sample_failed.connect(self._failed)
        demo.sample_ended.connect(self._ended)

    def load(self) -> None:
        """Load the sample."""
        stop = [("Stop", self._demo.stop_sample)]
        self._message.show_message("info", "Loading the sample: a shop with a million orders", actions=stop)
        self.setValue(0)
        self.show()
        self._demo.load_sample()
        self.changed.emit()

    def _progressed(self, done: int, total: int, _text: str) -> None:
        self.setValue(done * self.maximum() // max(1, total))

    def _failed(self, words: str) -> None:
        self._message.show_message("error", "The sample was not loaded", words)

    def _ended(self, stopped: bool) -> None:
        self.hide()
        self.changed.emit()
        if stopped:
            self._message.show_message("info", "Loading was stopped. What was begun is dropped the next time.")
        elif self._message.kind() != "error":
            self._message.show_message("success", "The sample is loaded: look into the schema shop.")
            self.loaded.emit()
