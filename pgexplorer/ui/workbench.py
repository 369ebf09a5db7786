"""What fills the window: seats the panels, fills the menus with their actions, keeps the layout."""

import base64
import logging
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QStatusBar,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.ddl.text import read_ddl
from pgexplorer.db.objects import DbObject
from pgexplorer.db.profile import Profile
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.demo_host import DemoHost
from pgexplorer.history import Entry, History
from pgexplorer.jobs import Jobs
from pgexplorer.journal import Journal
from pgexplorer.server import Server
from pgexplorer.settings import Settings
from pgexplorer.ui import icons, theme
from pgexplorer.ui.actions import Action, Listed, Reachable, button, listed
from pgexplorer.ui.ask import ask
from pgexplorer.ui.deck import Deck
from pgexplorer.ui.dock import Dock
from pgexplorer.ui.environment_band import ROLES, EnvironmentBand
from pgexplorer.ui.kept_notice import KeptNotice
from pgexplorer.ui.keys_sheet import KeysSheet
from pgexplorer.ui.main_window import MainWindow
from pgexplorer.ui.palette import ColumnPlace, Finder
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.panels.connect import ConnectPanel
from pgexplorer.ui.panels.history import HistoryPanel
from pgexplorer.ui.panels.pool import PoolPanel
from pgexplorer.ui.panels.query import QueryPanel
from pgexplorer.ui.panels.schema import SchemaPanel
from pgexplorer.ui.panels.table import TablePanel
from pgexplorer.ui.panels.tour import TourPanel
from pgexplorer.ui.sample_bar import SampleBar
from pgexplorer.ui.sql.completer import Completer
from pgexplorer.ui.views import history_view, pool_views
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.field_button import FieldButton
from pgexplorer.ui.widgets.message_bar import MessageBar
from pgexplorer.ui.widgets.slot_bar import SlotBar
from pgexplorer.ui.widgets.states import StateKind

_log = logging.getLogger(__name__)
_SCHEMES = {
    theme.Scheme.SYSTEM: "As the system",
    theme.Scheme.LIGHT: "Light",
    theme.Scheme.DARK: "Dark",
    theme.Scheme.CONTRAST: "High contrast",
}

_POOL_WIDTH = 280, 340, 420  # pixels at scale 1: the least, and the least and the most that it takes by itself


class Workbench(QWidget):
    """Two pages: connecting, and exploring a server with its pool in sight. Every wire between panels is here."""

    def __init__(
        self,
        frame: MainWindow,
        server: Server,
        jobs: Jobs,
        settings: Settings,
        demo: DemoHost,
        connect: ConnectPanel,
        tour: TourPanel,
        look: theme.Theme,
        journal: Journal,
        history: History,
    ) -> None:
        super().__init__()
        self.setObjectName("workbench")
        self._frame = frame
        frame.setWindowIcon(icons.app_icon())
        self._server = server
        self._jobs = jobs
        self._settings = settings
        self._history = history
        self._demo = demo
        self._tour_offered = False
        self._look = look
        self._dock_height = 0  # before it was folded
        self.connect_panel = connect
        self.tour = tour
        self.schema = SchemaPanel(server, jobs)
        self.pool = PoolPanel(server, jobs)
        self.dock = Dock([*pool_views(server, jobs, demo), history_view(history, jobs, self._wire_history)])
        self.completer = Completer(server, jobs, settings)
        self.deck = Deck(server, jobs, look, journal, self.completer, self._where)
        self.message = MessageBar(self)
        self.message.setObjectName("window.message")
        self._kept_notice = KeptNotice(
            self.deck.changes, self.message, self._where, self.schema.relation, self.deck.open_table
        )
        self._sample_bar = SampleBar(demo, self.message)
        self._band = EnvironmentBand()
        self._rows = [
            Action("window.connect", "Connections…", self.show_connect, "Ctrl+Shift+C", "plug"),
            Action("window.explore", "Explore", self.show_explore, "Ctrl+Shift+E", "table"),
            Action("window.disconnect", "Disconnect", self._disconnect, "", "unplug"),
            Action("window.new_sql", "New SQL", self.deck.new_query, "Ctrl+N", "terminal"),
            Action(
                "window.close_tab",
                "Close the tab",
                lambda: self.deck.close_tab(self.deck.tabs.currentIndex()),
                "Ctrl+W",
                "close",
            ),
            Action("window.reopen", "Open the closed tab again", self.deck.reopen, "Ctrl+Shift+T", "reopen"),
            Action("window.sample", "Load the sample shop", self._sample_bar.load, "", "download"),
            Action("window.tour", "Guided tour", self.show_tour, "F1", "book"),
            Action("window.next_pane", "Next pane", self._next_pane, "F6", "arrow-right"),
            Action("window.pool", "Show the pool panel", self._toggle_pool, "Ctrl+Shift+P", "pool"),
            Action("window.dock", "Views of the pool", self._toggle_dock, "Ctrl+J", "timeline"),
            *(
                Action(f"window.{title.lower()}", title, partial(self.show_view, title), f"Alt+{number}")
                for number, title in enumerate(self.dock.titles, 1)
            ),
            Action("window.activity", "Activity", self.deck.show_activity, "Alt+7", "heart-pulse"),
            Action("window.find", "Find anything…", self.find_anything, "Ctrl+K", "search"),
            Action("window.keys", "Keyboard shortcuts", self.show_keys, "Ctrl+/", "help"),
            Action("window.quit", "Quit", frame.close, "Ctrl+Q", "close-all"),
        ]
        self._actions: dict[str, QAction] = {row.name: row.build(self) for row in self._rows}
        self.addActions(list(self._actions.values()))
        self.finder = Finder(frame, jobs, settings, history, self.schema.model, self._reachable, self.deck.open_tabs)
        self._lay_out()
        self._fill_menus()
        self._wire()
        self._show_state()

    # -- seats --------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.slot_bar = SlotBar()
        self.slot_bar.setObjectName("pool.bar")
        self.slot_bar.clicked.connect(self._toggle_pool)
        self._address = QPushButton("Not connected")
        self._address.setObjectName("window.address")
        self._address.setToolTip("Connections…")
        self._address.clicked.connect(self._actions["window.connect"].trigger)
        icons.wear(self._address, "database", "accent")
        bar = QWidget()
        bar.setProperty("bar", True)
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(bar)
        row.setContentsMargins(10, 7, 10, 7)
        row.setSpacing(6)
        row.addWidget(self._address)
        self._top_buttons = [
            button(self._actions[name], name, style="quiet")
            for name in ("window.explore", "window.new_sql", "window.tour")
        ]
        for each in self._top_buttons:
            row.addWidget(each)
        row.addStretch(1)
        self._find_button = FieldButton("Find anything", "Ctrl+K")
        self._find_button.setObjectName("window.find")
        self._find_button.clicked.connect(self._actions["window.find"].trigger)
        row.addWidget(self._find_button)
        self._look_button = QPushButton()
        self._look_button.setObjectName("window.look")
        self._look_button.setProperty("quiet", True)
        self._look_button.setAccessibleName("Light, dark or high contrast")
        self._look_button.setToolTip("Light, dark or high contrast")
        icons.wear(self._look_button, "contrast")
        self._look_menu = QMenu(self)
        self._look_button.setMenu(self._look_menu)
        row.addWidget(self._look_button)
        row.addWidget(self.slot_bar)
        # The tour and the views of the pool lie under the schema and the tabs: the pool itself stays in sight whole.
        self._browse = _splitter(Qt.Orientation.Horizontal, self.schema, self.deck)
        self._middle = _splitter(Qt.Orientation.Vertical, self._browse, self.dock, self.tour)
        self._split = _splitter(Qt.Orientation.Horizontal, self._middle, self.pool)
        self._browse.setStretchFactor(1, 1)
        self._middle.setStretchFactor(0, 1)
        self._split.setStretchFactor(0, 1)
        self.schema.setMinimumWidth(theme.scaled(170))
        self.deck.setMinimumWidth(280)
        self.pool.setMinimumWidth(theme.scaled(_POOL_WIDTH[0]))
        self._browse.setSizes([min(theme.scaled(230), 300), 700])
        self._split.setSizes([930, theme.scaled(_POOL_WIDTH[-1])])
        self._is_tour_seated = False
        self._is_shared = False  # whether a person has said how wide the pool is
        self._split.splitterMoved.connect(self._shared)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.connect_panel)
        self.pages.addWidget(self._split)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._band)
        column.addWidget(self.message)
        column.addWidget(self._sample_bar)
        column.addWidget(self.pages, 1)
        status = QStatusBar()
        status.setSizeGripEnabled(False)
        self._status_server = _status_label("status.server")
        self._status_tab = _status_label("status.tab")
        self._status_mode = _status_label("status.mode")
        status.addWidget(self._status_server)
        status.addWidget(self._status_tab, 1)
        status.addPermanentWidget(self._status_mode)
        self.deck.status_changed.connect(self._status_tab.setText)
        self.deck.status_changed.connect(self._show_mode)
        self._frame.setStatusBar(status)

    def _fill_menus(self) -> None:
        """Fill the menus with the panels' own actions; the same rows make the keyboard sheet."""
        bar = self._frame.menuBar()
        file = bar.addMenu("&Server")
        for name in ("window.connect", "window.explore", "window.sample", "window.disconnect", "window.quit"):
            file.addAction(self._actions[name])
        for panel in (self.connect_panel, self.schema, self.pool):
            menu = bar.addMenu(f"&{panel.TITLE}")
            menu.addActions(list(panel.actions_by_name.values()))
        view = bar.addMenu("&View")
        for name in (
            "window.find",
            "window.new_sql",
            "window.close_tab",
            "window.reopen",
            "window.next_pane",
            "window.pool",
            "window.dock",
        ):
            view.addAction(self._actions[name])
        view.addSeparator()
        for title in self.dock.titles:
            view.addAction(self._actions[f"window.{title.lower()}"])
        view.addAction(self._actions["window.activity"])
        view.addSeparator()
        looks = view.addMenu("Colours")
        group = QActionGroup(self)
        for scheme, words in _SCHEMES.items():
            action = QAction(words, self, checkable=True, checked=scheme is self._look.scheme())
            action.setObjectName(f"look.{scheme}")
            action.triggered.connect(lambda _checked=False, scheme=scheme: self.wear(scheme))
            group.addAction(action)
            looks.addAction(action)
            self._look_menu.addAction(action)
        help_menu = bar.addMenu("&Help")
        help_menu.addAction(self._actions["window.tour"])
        help_menu.addAction(self._actions["window.keys"])

    def _wire(self) -> None:
        self.schema.table_chosen.connect(self.deck.open_table)
        self.schema.column_chosen.connect(self.deck.open_at_column)
        self.schema.ddl_wanted.connect(self._show_ddl)
        self.schema.switch_wanted.connect(self._switch_database)
        self.schema.statement_ended.connect(self.completer.hear)
        self.schema.statement_ended.connect(self._keep_statement)
        self._actions["window.reopen"].setEnabled(False)
        self.deck.offer(self._actions["window.new_sql"])
        self.deck.sight_wanted.connect(self.show_explore)
        self.deck.added.connect(self._order_tabs)
        for hear in (self.completer.hear, self.schema.hear, self._keep_statement):
            self.deck.statement_ended.connect(hear)
        self.finder.opened.connect(self.completer.need)
        self.completer.catalog_changed.connect(lambda: self.finder.know_columns(self.completer.catalog))
        self.finder.table_wanted.connect(self.deck.open_table)
        self.finder.column_wanted.connect(self._open_column)
        self.finder.object_wanted.connect(self._show_in_tree)
        self.schema.names_known.connect(self.finder.know_objects)
        self.schema.model.modelReset.connect(lambda: self.deck.follow_names(self.schema.model))
        self.finder.sql_wanted.connect(self.deck.insert_sql)
        self.finder.profile_wanted.connect(self._connect_to)
        self.deck.keeper.closed_changed.connect(self._actions["window.reopen"].setEnabled)
        self.pool.glance_changed.connect(self._glance)
        self.tour.outcome_arrived.connect(self.pool.show_outcome)
        self.tour.closed.connect(self.tour.hide)
        self.dock.folded.connect(self._dock_folded)
        self.connect_panel.demo_wanted.connect(self.start_demo)
        self._demo.started.connect(self._demo_started)
        self._demo.failed.connect(self._demo_failed)
        self._sample_bar.changed.connect(self._show_state)
        self._sample_bar.loaded.connect(self.schema.refresh)
        self._server.opened.connect(self._opened)
        self._server.swapped.connect(self._show_state)
        self._server.closed.connect(self._closed)
        self._server.failed.connect(self._failed)
        self._jobs.unheard.connect(self._unheard)

    # -- the demo -----------------------------------------------------------------------------------------------

    def start_demo(self, *, tour: bool = True) -> None:
        """Start the demo server, connect to it and open its person table, and with *tour* offer the tour."""
        self.connect_panel.message.show_message("info", "Starting the demo server…")
        self._tour_offered = tour
        self._demo.start()

    def _demo_started(self, profile: Profile) -> None:
        self.schema.open_first("person")
        self.connect_panel.show_demo(profile)
        self._server.open(profile, self.show_tour if self._tour_offered else None)

    def _demo_failed(self, words: str) -> None:
        self.connect_panel.message.show_message("error", "The demo server did not start", words)

    # -- pages --------------------------------------------------------------------------------------------------

    def show_connect(self) -> None:
        """Show the page for connecting."""
        self.pages.setCurrentWidget(self.connect_panel)
        self._show_state()
        self.connect_panel.form.host.setFocus()

    def show_explore(self) -> None:
        """Show the server in use, or the texts that are here without one."""
        if self._server.is_open or self.deck.query_panels():
            self.pages.setCurrentWidget(self._split)
            self._show_state()

    def show_tour(self) -> None:
        """Show the guided tour under the tabs."""
        self.show_explore()
        self.tour.show()
        self.dock.fold()  # both would leave no room for the tables
        total = sum(self._middle.sizes())
        if not self._is_tour_seated or self._middle.sizes()[2] < 120:
            self._is_tour_seated = True  # from now on it is as high as a person leaves it
            wanted = min(theme.scaled(300), max(220, total // 2))
            tabs = self.dock.maximumHeight()
            self._middle.setSizes([max(0, total - wanted - tabs), tabs, wanted])
        self.tour.begin()

    def show_view(self, title: str) -> Panel:
        """Show a view of the dock, and return it: Timeline, Queue, Truth, Statistics, Faults or History."""
        self.show_explore()
        if self.pages.currentWidget() is not self._split:  # the history needs no server
            self.pages.setCurrentWidget(self._split)
            self._show_state()
        return self.dock.show_view(title)

    def _toggle_dock(self) -> None:
        self.show_explore()
        self.dock.toggle()

    def _dock_folded(self, folded: bool) -> None:
        sizes = self._middle.sizes()
        total = sum(sizes)
        if folded:
            self._dock_height = max(sizes[1], self._dock_height if sizes[1] < 120 else 0)
            tabs = self.dock.maximumHeight()
            self._middle.setSizes([max(0, total - tabs - sizes[2]), tabs, sizes[2]])
        else:
            if self.tour.isVisible() and total < theme.scaled(760):
                self.tour.hide()  # as show_tour() folds the dock: both would leave no room for the tables
            tour = sizes[2] if self.tour.isVisible() else 0
            wanted = min(max(self._dock_height, theme.scaled(230), total * 2 // 5), max(0, total - tour - 160))
            self._middle.setSizes([max(0, total - wanted - tour), wanted, tour])

    def _order_tabs(self, panel: Panel) -> None:
        """Let Tab go as the eye does: schema, tabs, the panel in the tab, the views, the tour, the pool."""
        before: QWidget = self.deck.tabs
        for each in (panel, self.dock, self.tour, self.pool):
            for stop in each.findChildren(QWidget):
                # A list that drops down, or a menu, is a window of its own.
                if stop.focusPolicy() & Qt.FocusPolicy.TabFocus and stop.window() is self.window():
                    QWidget.setTabOrder(before, stop)
                    before = stop

    def _next_pane(self) -> None:
        """Move the focus on: schema, tab, views of the pool, tour, pool."""
        current = self.deck.tabs.currentWidget()
        middle: QWidget = self.deck.tabs
        if isinstance(current, QueryPanel):
            middle = current.editor
        elif isinstance(grid := getattr(current, "grid", None), QWidget):
            middle = grid
        panes: list[tuple[QWidget, QWidget]] = [
            (self.schema, self.schema.tree),
            (self.deck.tabs, middle),
            (self.dock, self.dock.stop),
            (self.tour, self.tour.next_button),
        ]
        panes.append((self.pool, self.pool.findChild(QPushButton, "pool.check_out") or self.pool))
        shown = [(pane, stop) for pane, stop in panes if pane.isVisible()]
        focus = QApplication.focusWidget()
        here = next((n for n, (pane, _) in enumerate(shown) if focus is not None and pane.isAncestorOf(focus)), -1)
        if shown:
            shown[(here + 1) % len(shown)][1].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _disconnect(self) -> None:
        if self.deck.settled(self._disconnect, "The server is to be left"):
            self._server.close()

    # -- what it hears ------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self.show_explore()
        self.deck.follow_server()
        self._kept_notice.tell()

    def _closed(self) -> None:
        self._glance((), "Not connected", "")
        if not self._server.is_opening:
            self.show_connect()
        self._show_state()

    def _failed(self, _error: Exception) -> None:
        self.show_connect()

    def _glance(self, kinds: tuple[StateKind, ...], text: str, tip: str) -> None:
        self.slot_bar.set_slots(kinds, text, tip)

    def _toggle_pool(self) -> None:
        self.pool.setVisible(not self.pool.isVisible())

    def _show_state(self) -> None:
        in_use = self._server.in_use
        exploring = self.pages.currentWidget() is self._split
        for name in ("window.tour", "window.disconnect", "window.pool", "window.activity", *self._of_the_dock()):
            self._actions[name].setEnabled(in_use is not None)
        self._actions["window.explore"].setEnabled(in_use is not None or bool(self.deck.query_panels()))
        on_demo = in_use is not None and self._demo.is_server_of(in_use.profile)
        self._actions["window.sample"].setEnabled(on_demo and not self._demo.is_loading)
        self.slot_bar.setVisible(in_use is not None)
        self._band.show_profile(in_use.profile if in_use is not None else None)
        if in_use is None:
            self._address.setText("Not connected")
            for status in (self._status_server, self._status_tab, self._status_mode):
                status.setText("")
            self._frame.setWindowTitle("pgexplorer")
            return
        profile, facts = in_use.profile, in_use.facts
        title = plain.one_line(profile.title, 48).replace("&", "&&")  # a single & would become a mnemonic
        self._address.setText(title)
        icons.wear(self._address, "database", ROLES[profile.environment])
        self._address.setToolTip(plain.tool_tip(f"{profile.environment}: {profile.address}"))
        self._status_server.setText(f"{facts.product} · {profile.address} · {facts.tls or 'TLS off'}")
        self._show_mode()
        self._frame.setWindowTitle(f"{profile.title} — pgexplorer")
        self._status_tab.setText(self.deck.status if exploring else "")

    def _show_mode(self) -> None:
        if (in_use := self._server.in_use) is not None:
            profile = in_use.profile
            access = "read-only" if profile.read_only else "read-write"
            self._status_mode.setText(f"{profile.environment} · {access} · {self.deck.mode}")

    def _of_the_dock(self) -> list[str]:
        titles = [title for title in self.dock.titles if title != HistoryPanel.TITLE]
        return ["window.dock", *(f"window.{title.lower()}" for title in titles)]

    def _unheard(self, error: Exception, trace: str) -> None:
        """Show a failure that no panel asked for: a bug, with its traceback ready to copy; nothing is lost."""
        _log.error("unheard: %s", trace)
        self.message.show_message(
            "error", f"{type(error).__name__}: {error}", trace, "This is a bug of pgexplorer. Nothing was lost."
        )

    # -- looks and keys -----------------------------------------------------------------------------------------

    def wear(self, scheme: theme.Scheme) -> None:
        """Dress in *scheme* and remember it."""
        self._look.set_scheme(scheme)
        self._settings.prefer("theme", str(scheme))

    def _reachable(self) -> list[Reachable]:
        """Return what can be done now, and where."""
        tab = self.deck.tabs.currentWidget()
        seats: list[tuple[Panel, Callable[[], object]]] = [
            *([(tab, self.show_explore)] if isinstance(tab, Panel) else []),
            (self.schema, self.show_explore),
            (self.pool, self.show_explore),
            *((panel, partial(self.show_view, panel.TITLE)) for panel in self.dock.panels()),
            *([(self.tour, self.show_explore)] if self.tour.isVisible() else []),
            (self.connect_panel, self.show_connect),
        ]
        own = [Reachable(action, "Window") for name, action in self._actions.items() if name != "window.find"]
        looks = [Reachable(action, "Colours") for action in self._look_menu.actions()]
        return [*own, *(each for panel, reveal in seats for each in panel.reachable(reveal)), *looks]

    def all_actions(self) -> list[Listed]:
        """Return every action of the program, those too whose panel is not open."""
        from pgexplorer.ui.panels.activity import ActivityPanel

        window = [Reachable(action, "Window") for action in self._actions.values()]
        tabs: list[Panel] = [
            ActivityPanel(self._server, self._jobs),
            QueryPanel(self._server, self._jobs, ""),
            TablePanel(self._server, self._jobs, Relation(0, "", "", Kind.TABLE, -1, 0)),
        ]
        seated = [self.schema, self.pool, *map(self.dock.panel, self.dock.titles), self.tour, self.connect_panel]
        found = listed([*window, *(each for panel in (*tabs, *seated) for each in panel.reachable())])
        for panel in tabs:
            panel.deleteLater()
        return found

    def show_keys(self) -> None:
        """Show the keyboard sheet."""
        KeysSheet(self, self.all_actions()).open()

    # -- what was found -----------------------------------------------------------------------------------------

    def find_anything(self) -> None:
        """Open the palette; close it where it is open."""
        self.finder.open()

    def _open_column(self, place: ColumnPlace) -> None:
        relation = self.schema.relation(place.schema, place.table)
        if relation is None:
            words = f"{place.schema}.{place.table} is not there any more"
            self.message.show_message("info", words, "", "Refresh the schema to see what is.")
            return
        self.deck.open_at_column(relation, place.name)

    def _show_in_tree(self, found: DbObject, relation: Relation | None) -> None:
        self.show_explore()
        self.schema.reveal(found, relation)

    def _show_ddl(self, found: DbObject) -> None:
        """Open the SQL that makes *found* again in a tab of its own: there it can be read, changed, and run."""
        if (in_use := self._server.in_use) is None:
            return
        client = in_use.client

        def work() -> str:
            with client.lend("schema") as conn:
                return read_ddl(conn, found)

        self._jobs.call(
            work,
            name="read the DDL",
            done=self.deck.open_sql,
            failed=lambda error: show_failure(self.schema.message, error, self._server),
        )

    def _switch_database(self, name: str) -> None:
        """Ask, and open a pool on another database of the server in place of the present one."""
        in_use = self._server.in_use
        again = partial(self._switch_database, name)
        if in_use is None or not (
            self.deck.settled(again, "Another database is to be opened") and self.deck.may_leave()
        ):
            return
        tables = len(self.deck.table_panels())
        closed = f"the pool of {in_use.pool.minconn} to {in_use.pool.maxconn} connections on {in_use.profile.dbname}"
        closed += f" and {tables} table {'tab' if tables == 1 else 'tabs'}" if tables else ""
        words = f"This closes {closed}. SQL tabs stay; what they keep in a backend ends."
        if ask(self, f"Switch to {plain.one_line(name, 60)}?", words):
            self._server.switch(name, lambda error: show_failure(self.schema.message, error, self._server))

    def _connect_to(self, profile: Profile | None) -> None:
        self.show_connect()
        if profile is None:
            self.start_demo(tour=False)
        else:
            self.connect_panel.connect_to(profile)

    # -- the history --------------------------------------------------------------------------------------------

    def _wire_history(self, panel: Panel) -> None:
        assert isinstance(panel, HistoryPanel)
        panel.insert_wanted.connect(self.deck.insert_sql)
        panel.open_wanted.connect(self.deck.open_sql)
        panel.run_wanted.connect(self.deck.run_sql)

    def _keep_statement(self, entry: Entry) -> None:
        self._history.add(entry)
        for panel in self.dock.panels():
            if isinstance(panel, HistoryPanel):
                panel.refresh_soon()

    # -- what is typed ------------------------------------------------------------------------------------------

    def restore_tabs(self) -> None:
        """Open the SQL tabs that earlier windows have left, without connecting; say how many, and what is damaged."""
        restored = self.deck.keeper.restore()
        count = len(restored.tabs)
        if count:
            self._show_state()
            self.connect_panel.message.show_message(
                "info",
                "One SQL tab of the last time is open again" if count == 1 else f"{count} SQL tabs are open again",
                "They are as they were left. Nothing was run, and nothing connects by itself.",
                "",
                [("Show", self.show_explore)],
            )
        if restored.trouble:
            self.message.show_message("warning", "Not everything could be restored", restored.trouble)
        self.deck.changes.begin(restored.files)

    def _where(self) -> tuple[str, str] | None:
        """Return which database is in use; the demo server is the same whatever its port."""
        if (in_use := self._server.in_use) is None:
            return None
        profile = in_use.profile
        return "demo" if self._demo.is_server_of(profile) else profile.address, profile.dbname

    def may_close(self) -> bool:
        """Ask about every tab of which something would be lost; return whether the window may close.

        Where changes of rows are sent first, the window is closed when they are.
        """
        return self.deck.settled(self._frame.close, "The window is to be closed") and self.deck.may_leave()

    # -- between runs -------------------------------------------------------------------------------------------

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._is_shared:  # a narrow window leaves more to the tables
            wide = event.size().width()
            _, least, most = map(theme.scaled, _POOL_WIDTH)
            wide = min(most, max(min(least, wide // 3), wide * 3 // 10))
            self._split.setSizes([max(0, self.width() - wide - self._split.handleWidth()), wide])

    def _shared(self) -> None:
        self._is_shared = True

    def restore_layout(self) -> None:
        """Take the splitters of the last run."""
        for name, splitter in self._kept():
            if layout := self._settings.preference(name):
                splitter.restoreState(QByteArray(base64.b64decode(layout, validate=False)))
                self._is_shared = self._is_shared or splitter is self._split

    def leave_views(self) -> None:
        """End what the views of the pool and the tables have under way: nothing must outlive the window."""
        for panel in self.dock.panels():
            panel.leave()
        for panel in self.deck.tabs.panels():
            panel.leave()

    def keep_layout(self) -> None:
        """Remember the splitters, and what completion learned."""
        self.completer.keep_uses()
        for name, splitter in self._kept():
            if splitter is self._split and not self._is_shared:
                continue  # it goes by the window's width
            self._settings.prefer(name, base64.b64encode(splitter.saveState().data()).decode())

    def _kept(self) -> tuple[tuple[str, QSplitter], ...]:
        return ("layout", self._split), ("layout.browse", self._browse)


def _splitter(way: Qt.Orientation, *widgets: QWidget) -> QSplitter:
    splitter = QSplitter(way)
    for widget in widgets:
        splitter.addWidget(widget)
    splitter.setChildrenCollapsible(False)
    return splitter


def _status_label(name: str) -> ElidedLabel:
    label = ElidedLabel()
    label.setObjectName(name)
    return label
