"""Actions on a pool as the psycopg2 code that does them: a script that runs when copied out."""

from collections.abc import Mapping, Sequence

import psycopg2


class Script:
    """The program that a person's clicks amount to.

    It holds no password: the script takes it from PGPASSWORD or asks.
    """

    def __init__(
        self, kind: str, minconn: int, maxconn: int, parameters: Mapping[str, object], *, timeout: float = 0.0
    ) -> None:
        self.kind = kind
        self.parameters = {name: value for name, value in parameters.items() if name != "password"}
        self._sizes = f"{minconn}, {maxconn}" + (f", timeout={timeout:g}" if timeout else "")
        self._lines: list[str] = [self._opening()]
        self._names = 0

    def _opening(self) -> str:
        return f"pool = {self.kind}({self._sizes}, **parameters)"

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below the head: the making of the pool and every action since, a line each."""
        return tuple(self._lines)

    def add(self, *lines: str) -> None:
        """Write lines of other code that uses the names `pool` and `parameters`."""
        self._lines += lines

    def next_name(self) -> str:
        """Return the variable for the next connection: connection1, connection2 and so on."""
        self._names += 1
        return f"connection{self._names}"

    def check_out(self, name: str, pid: int) -> None:
        """Write a check-out that worked."""
        self._lines.append(f"{name} = pool.getconn()  # pid {pid}")

    def check_out_by_threads(self, names: Sequence[str], pids: Sequence[int]) -> None:
        """Write one check-out in each of several threads."""
        self._import_threading()
        self._lines += [
            "taken = []",
            f"threads = [threading.Thread(target=lambda: taken.append(pool.getconn())) for _ in range({len(names)})]",
            "for thread in threads:",
            "    thread.start()",
            "for thread in threads:",
            "    thread.join()",
            f"[{', '.join(names)}] = taken  # pids {', '.join(map(str, pids))}",
        ]

    def check_out_refused(self, error: BaseException) -> None:
        """Write a check-out that raised *error*."""
        self._attempt("pool.getconn()", error)

    def return_later(self, name: str, after_s: float) -> None:
        """Write a return that a timer does."""
        self._import_threading()
        self._lines.append(f"threading.Timer({after_s:g}, pool.putconn, ({name},)).start()")

    def check_in(self, name: str, error: BaseException | None = None) -> None:
        """Write a return, which may have raised."""
        self._call(f"pool.putconn({name})", error)

    def run(self, name: str, sql: str, *, returns_rows: bool, error: BaseException | None = None) -> None:
        """Write a statement run on the connection *name*."""
        lines = [f"with {name}.cursor() as cursor:", f"    cursor.execute({sql!r})"]
        if returns_rows:
            lines.append("    for row in cursor.fetchmany(10):")
            lines.append("        print(row)")
        if error is None:
            self._lines += lines
        else:
            self._lines += ["try:", *(f"    {line}" for line in lines), *self._except(error)]

    def leak(self, name: str) -> None:
        """Write a connection dropped without being returned."""
        self._lines.append(f"del {name}  # dropped, not returned: the pool goes on counting it")

    def stranger(self, error: BaseException | None) -> None:
        """Write the return of a connection that the pool never made."""
        self._lines.append("stranger = psycopg2.connect(**parameters)")
        self._call("pool.putconn(stranger)", error)
        self._lines.append("stranger.close()")

    def close_all(self, error: BaseException | None = None) -> None:
        """Write the closing of the pool."""
        self._call("pool.closeall()", error)

    def reopen(self) -> None:
        """Write a new pool in place of the closed one."""
        self._lines.append(self._opening())

    def imports(self) -> list[str]:
        """Return the lines that import the pool's class and its errors."""
        if self.kind == "PgPool":
            return ["from psycopg2.pool import PoolError", "from pgexplorer.pool.pg_pool import PgPool"]
        return [f"from psycopg2.pool import PoolError, {self.kind}"]

    def text(self) -> str:
        """Return the whole script."""
        parameters = [f"    {name!r}: {value!r}," for name, value in self.parameters.items()]
        head = [
            "import getpass",
            "import os",
            "",
            "import psycopg2",
            *self.imports(),
            "",
            "parameters = {",
            *parameters,
            '    "password": os.environ.get("PGPASSWORD") or getpass.getpass("Password: "),',
            "}",
            "",
        ]
        return "\n".join([*head, *self._lines]) + "\n"

    def _import_threading(self) -> None:
        if "import threading" not in self._lines:
            self._lines.append("import threading")

    def _call(self, call: str, error: BaseException | None) -> None:
        if error is None:
            self._lines.append(call)
        else:
            self._attempt(call, error)

    def _attempt(self, call: str, error: BaseException) -> None:
        self._lines += ["try:", f"    {call}", *self._except(error)]

    @staticmethod
    def _except(error: BaseException) -> list[str]:
        kind = type(error).__name__
        caught = "PoolError" if kind == "PoolError" else "psycopg2.Error"
        if not isinstance(error, psycopg2.Error):
            caught = kind  # a builtin: a value that psycopg2 cannot turn into Python's
        first = str(error).strip().partition("\n")[0]
        # A carriage return in a server's words would end the comment, and what follows it be code.
        first = "".join(letter if letter.isprintable() else " " for letter in first)
        return [
            f"except {caught} as error:",
            f'    print(f"{{type(error).__name__}}: {{error}}")  # {kind}: {first}',
        ]
