"""The command line: open (default), demo, tour, doctor, desktop. No Qt before it is known that a window can open."""

import argparse
import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

CLEAN, USAGE, INTERNAL, INTERRUPTED = 0, 2, 70, 130
_COMMANDS = ("open", "demo", "tour", "doctor", "desktop")
_EPILOG = """\
exit codes: 0 all went well, 1 the tour could not show everything, 2 wrong usage or something is missing here,
70 a bug (its traceback is on stderr), 130 interrupted
"""
# A password may stand in a URL, in key=value text, or as a URL's parameter.
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/]*(?=@)|(\b(?:ssl)?password\s*=\s*)(?:'(?:\\.|[^'\\])*'?|[^\s&]+)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Blocks until the window is closed or the tour is over."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow locale must not turn a message into an exception
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except SystemExit as ending:  # argparse's way to return
        return ending.code if isinstance(ending.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has read enough; the interpreter's own flush at the end must not complain.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    except Exception:
        sys.stderr.write(without_passwords(traceback.format_exc()))
        return INTERNAL


def without_passwords(text: str) -> str:
    """Return *text* with "…" in place of what looks like a password in a connection URL or in key=value text."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}…", text)


def _run(words: list[str]) -> int:
    options = _parser().parse_args(
        words if words and words[0] in {*_COMMANDS, "-h", "--help", "--version"} else ["open", *words]
    )
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "open": _open,
        "demo": _demo,
        "tour": _tour,
        "doctor": _doctor,
        "desktop": _desktop,
    }
    return commands[options.command](options)


def _open(options: argparse.Namespace) -> int:
    arguments: list[str] = []
    if options.url:
        from pgexplorer.db.profile import Profile, paste

        if "=" not in options.url and "://" not in options.url:
            known = ", ".join(_COMMANDS)
            return _complain(f"{options.url!r} is neither a connection URL nor a command ({known}). See pgexplorer -h.")
        pasted = paste(options.url, Profile())
        if pasted.refused:
            return _complain(pasted.refused)
        if pasted.profile.password or without_passwords(options.url) != options.url:
            _say("The password in this URL can be read by other users of this machine, in the list of processes.")
        arguments = ["--url", options.url]
    return _window(arguments)


def _demo(options: argparse.Namespace) -> int:
    from pgexplorer.doctor import obstacle

    found = obstacle()
    if found is not None and found.is_display:
        _say(f"{found.text} The tour runs here in the terminal instead.")
        return _tour_on_demo()
    if found is not None:
        return _complain(found.text)
    return _window(["--demo", "--no-tour"] if options.no_tour else ["--demo"])


def _tour(options: argparse.Namespace) -> int:
    pictures: Path | None = options.pictures
    if pictures is None:
        return _tour_on_demo()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

    def take() -> int:
        if trouble := _preflight():
            return _complain(trouble)
        from pgexplorer.pictures import take_pictures

        return take_pictures(pictures)

    return _tour_on_demo(then=take)


def _doctor(_options: argparse.Namespace) -> int:
    from pgexplorer.doctor import report

    return report(sys.stdout)


def _desktop(options: argparse.Namespace) -> int:
    if not sys.platform.startswith("linux"):
        return _complain("A desktop entry is for Linux. Elsewhere make a shortcut to pgexplorer itself.")
    from pgexplorer import desktop

    try:
        if options.remove:
            gone = desktop.remove()
            print("\n".join(f"Removed {path}" for path in gone) or "There is no entry of pgexplorer.")
        else:
            where = desktop.install(desktop.own_command())
            print(f"Wrote {where.entry}\nWrote {where.icon}")
    except OSError as error:
        return _complain(f"That cannot be written: {error}")
    return CLEAN


def _window(arguments: list[str]) -> int:
    if trouble := _preflight():
        return _complain(trouble)
    from pgexplorer.app import main as window

    return window(arguments)


def _tour_on_demo(then: Callable[[], int] = lambda: CLEAN) -> int:
    """Take the terminal tour on the demo server, then do *then* while that still runs; return the worse exit code."""
    from pgexplorer.demo.server import DemoUnavailable, start
    from pgexplorer.tour.bench import OwnBench
    from pgexplorer.tour.terminal import run

    try:
        lease = start(_say)
    except DemoUnavailable as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"The demo server cannot be started: {error}")
    with lease:
        with OwnBench(lease.server.profile()) as bench:
            code = run(sys.stdout, _colour(), bench)
        return max(code, then())


def _preflight() -> str | None:
    from pgexplorer.doctor import preflight

    return preflight()


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _say(text: str) -> None:
    print(without_passwords(text), file=sys.stderr, flush=True)


def _complain(text: str) -> int:
    _say(text)
    return USAGE


class _Parser(argparse.ArgumentParser):
    """argparse, which would print a password that stands in a word it does not know."""

    def error(self, message: str) -> NoReturn:
        super().error(without_passwords(message))


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and end")

    def __call__(self, parser: argparse.ArgumentParser, *_others: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("pgexplorer")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"pgexplorer {number}")
        parser.exit(CLEAN)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="pgexplorer",
        usage="pgexplorer [URL]\n       pgexplorer {demo,tour,doctor,desktop} …",
        description="A desktop PostgreSQL explorer whose connection pool you can see and govern.",
        epilog=_EPILOG,
        formatter_class=raw,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True, parser_class=_Parser)
    window = commands.add_parser("open", help="open the window (what happens without a command)", allow_abbrev=False)
    window.add_argument("url", metavar="URL", nargs="?", help="fills the form, for example postgresql://me@host/db")
    demo = commands.add_parser("demo", help="open the window on a PostgreSQL server of its own", allow_abbrev=False)
    demo.add_argument("--no-tour", action="store_true", help="do not offer the guided tour")
    tour = commands.add_parser("tour", help="take the tour of connection pooling in the terminal", allow_abbrev=False)
    tour.add_argument("--pictures", metavar="DIR", type=Path, help="take pictures of the window as well, off screen")
    commands.add_parser("doctor", help="say what this machine lacks, and the line that installs it")
    entry = commands.add_parser("desktop", help="put pgexplorer into the desktop's menu (Linux)", allow_abbrev=False)
    entry.add_argument("--remove", action="store_true", help="take it out again")
    return parser
