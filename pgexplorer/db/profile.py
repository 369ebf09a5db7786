"""Where the server is and how large the pool may grow; a form or a URL in, connection parameters out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

import psycopg2
from psycopg2 import extensions as ext

POOL_CLASSES = ("ThreadedConnectionPool", "SimpleConnectionPool", "PgPool")
_WAITING = "PgPool"
TLS_MODES = ("prefer", "require", "verify-ca", "verify-full", "disable", "allow")
LARGEST_POOL = 500
_LARGEST_NUMBER = 2_000_000  # of a stored number; statement_timeout takes no more seconds
CONNECT_TIMEOUT = 10  # seconds; libpq gives them to each host and address
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds; keepalives alone do not notice data sent into a silent link
}

# A pasted URL comes from somebody else: these parameters are taken from it and no others.
_PASTED = (
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "channel_binding",
    "require_auth",
    "application_name",
    "connect_timeout",
    "target_session_attrs",
)
_NEVER_PASTED = {"service", "passfile", "sslkey", "options", "sslcert", "sslpassword", "replication", "hostaddr"}
_PORT = re.compile(r"[0-9]{1,5}")
_SECRET = ("password", "sslpassword", "oauth_client_secret")  # options that are not kept and not shown
_SECURITY = re.compile(r"^(ssl|gss|krb|require|channel|scram|oauth|min_protocol|max_protocol)")


class Environment(StrEnum):
    """What a server is for; production is marked by more than its colour."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Profile:
    """A server and the pool that the program opens on it. Text fields are as typed; empty means libpq's default."""

    key: str = field(default="", compare=False)  # tells remembered profiles apart, whatever they are called
    name: str = ""
    host: str = "localhost"  # several, with commas, for failover; a folder for a Unix socket
    port: str = "5432"
    dbname: str = ""
    user: str = ""
    password: str = field(default="", repr=False, compare=False)  # never stored with the profile
    sslmode: str = "prefer"
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""
    service: str = ""
    options: str = ""  # other libpq options, "name=value" apart by spaces
    pool_class: str = POOL_CLASSES[0]
    minconn: int = 2
    maxconn: int = 3
    timeout_s: float = 5.0  # how long PgPool waits when all are out; psycopg2's pools never wait
    environment: Environment = Environment.DEVELOPMENT
    read_only: bool = False
    statement_timeout_s: float = 0.0  # 0: none
    lock_timeout_s: float = 0.0
    idle_timeout_s: float = 0.0  # of an open transaction
    weak_passwords: bool = False  # let the server ask for the password in clear text or as md5
    keep_password: bool = False  # in the system keyring

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
        if self.name:
            return self.name
        where = self.host or "the default socket"
        return f"service={self.service}" if self.service else f"{self.dbname or self.user or 'database'} on {where}"

    @property
    def address(self) -> str:
        """Where it is, in one line without the password."""
        if self.service:
            return f"service {self.service}"
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host or 'socket'}:{self.port or '5432'}/{self.dbname or self.user}"

    def parameters(self, purpose: str = "pool") -> dict[str, Any]:
        """Return the keywords for psycopg2.connect, the password among them; *purpose* is "pool" or "side"."""
        given: dict[str, Any] = dict(split_options(self.options))
        given |= self._where()
        for name in ("password", "sslrootcert", "sslcert", "sslkey"):
            if value := getattr(self, name):
                given[name] = value
        if self.sslmode != "prefer":
            given["sslmode"] = self.sslmode
        if not self.weak_passwords and self.sslmode not in {"verify-ca", "verify-full"}:
            given.setdefault("require_auth", "!password,!md5")
        given = {"connect_timeout": CONNECT_TIMEOUT, **_KEEPALIVE, **given}
        given["application_name"] = f"pgexplorer/{purpose}"
        if settings := self._settings():
            given["options"] = f"{given.get('options', '')} {settings}".strip()
        return given

    def script_parameters(self) -> dict[str, object]:
        """Return the keywords that a person would write: no password, no time-outs of ours."""
        shown: dict[str, object] = {}
        for name in ("service", "host", "port", "dbname", "user"):
            if value := getattr(self, name):
                shown[name] = value
        shown.update({name: value for name, value in split_options(self.options).items() if name not in _SECRET})
        if self.sslmode != "prefer":
            shown["sslmode"] = self.sslmode
        if self.sslrootcert:
            shown["sslrootcert"] = self.sslrootcert
        return shown

    def _where(self) -> dict[str, str]:
        """Return what says where the server is. With a service its own host and port hold unless others were typed."""
        usual = {"host": "localhost", "port": "5432"} if self.service else {}
        named = ((name, str(getattr(self, name))) for name in ("service", "host", "port", "dbname", "user"))
        return {name: value for name, value in named if value and value != usual.get(name)}

    def _settings(self) -> str:
        given = ["-c default_transaction_read_only=on"] if self.read_only else []
        for name, seconds in (
            ("statement_timeout", self.statement_timeout_s),
            ("lock_timeout", self.lock_timeout_s),
            ("idle_in_transaction_session_timeout", self.idle_timeout_s),
        ):
            if seconds:
                given.append(f"-c {name}={int(seconds * 1000)}")
        return " ".join(given)

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by field; empty when connecting can be tried."""
        found: dict[str, str] = {}
        for number in self.port.split(",") if self.port else ():
            if not _PORT.fullmatch(number.strip()) or not 1 <= int(number) <= 65535:
                found["port"] = "A port is a number from 1 to 65535; several are separated by commas."
        hosts, ports = self.host.count(",") + 1, self.port.count(",") + 1
        if "port" not in found and ports not in {1, hosts}:
            found["port"] = f"{ports} ports for {hosts} host{'s' if hosts > 1 else ''}: give one, or one for each host."
        if self.maxconn < 1:
            found["maxconn"] = "The maximum is at least 1: a pool of none is always exhausted."
        elif self.minconn > self.maxconn:
            found["minconn"] = (
                f"The minimum is above the maximum of {self.maxconn}: psycopg2 would open {self.minconn} and keep no "
                f"limit at all."
            )
        if self.minconn < 0:
            found["minconn"] = "The minimum is 0 or more."
        if self.maxconn > LARGEST_POOL:
            found["maxconn"] = f"{LARGEST_POOL} connections are the most that this program opens."
        if self.pool_class not in POOL_CLASSES:
            found["pool_class"] = "Choose one of the pools in the list."
        for name in ("host", "port", "dbname", "user", "password", "service", "options"):
            if "\0" in getattr(self, name):
                found[name] = "This holds a NUL character."
        try:
            if "password" in split_options(self.options):
                found["options"] = "The password has a field of its own: what stands here is shown and kept."
        except ValueError as error:
            found["options"] = str(error)
        return found

    def plan(self) -> str:
        """Say in words what opening does, before any contact with the server."""
        if self.minconn == 0:
            closes = "" if self.pool_class == _WAITING else "; psycopg2 closes each one when it is returned"
            return f"Opens no connection now and at most {self.maxconn}{closes}."
        wait = self.wait_s
        opens = "1 connection" if self.minconn == 1 else f"{self.minconn} connections"
        waits = f" When all are out a caller waits in line, {wait:g} s at most." if wait else ""
        return f"Opens {opens} now and at most {self.maxconn}.{waits}"

    @property
    def wait_s(self) -> float:
        """How long a caller waits when all connections are out: 0 with psycopg2's own pools."""
        return self.timeout_s if self.pool_class == _WAITING else 0.0

    def when_all_out(self) -> str:
        """Say what happens when all connections are out."""
        if self.pool_class != _WAITING:
            return "Raises PoolError at once: psycopg2 does not wait"
        if not self.wait_s:
            return "Raises PoolExhausted, a PoolError, at once"
        return f"Waits in line for {self.wait_s:g} s at most, then raises PoolTimeout, a PoolError"

    def stored(self) -> dict[str, object]:
        """Return what is kept between runs: everything but the password, and options without secrets."""
        kept = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "password"}
        return {**kept, "options": _without_secrets(self.options)}

    @classmethod
    def restored(cls, stored: Mapping[str, object]) -> "Profile":
        """Make a profile of what `stored` returned; unknown and wrongly typed entries are left at their defaults."""
        default = cls()
        known: dict[str, Any] = {}
        for each in fields(cls):
            value = stored.get(each.name)
            standard = getattr(default, each.name)
            if each.name == "password" or value is None:
                continue
            if isinstance(standard, Environment):
                known[each.name] = next((one for one in Environment if one.value == value), standard)
            elif isinstance(standard, bool):
                known[each.name] = value is True
            elif isinstance(standard, int | float) and isinstance(value, int | float):
                if abs(value) < _LARGEST_NUMBER:  # false for NaN
                    known[each.name] = type(standard)(value)
            elif isinstance(standard, str) and isinstance(value, str):
                known[each.name] = value
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was taken from a pasted URL, and what was not."""

    profile: Profile
    ignored: tuple[str, ...] = ()  # names of parameters that a URL may not set here
    refused: str = ""  # why nothing was taken


def paste(url: str, onto: Profile) -> Pasted:
    """Read a connection URL or "key=value" text into *onto*, through a list of parameters that a URL may set.

    Whatever the list leaves out is named and not used; a security parameter that it does not know refuses the URL,
    for leaving it out could make the connection weaker than its author meant.
    """
    text = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url.strip())
    try:
        given = ext.parse_dsn(text)
    except psycopg2.Error as error:
        return Pasted(onto, refused=f"This is no connection URL: {_scrub(str(error).strip(), text)}")
    given = {name: str(value) for name, value in given.items()}
    left = [name for name in given if name not in _PASTED]
    unknown = [name for name in left if name not in _NEVER_PASTED and _SECURITY.match(name)]
    if unknown:
        return Pasted(
            onto, refused=f"The URL sets {', '.join(unknown)}, which is not taken from a URL. Nothing was filled in."
        )
    if given.get("sslmode", "prefer") not in TLS_MODES:
        return Pasted(onto, refused=f"There is no TLS mode {given['sslmode']!r}.")
    ports = [port for port in given.get("port", "").split(",") if port]
    if "@" in given.get("host", "") or not all(_PORT.fullmatch(port) for port in ports):
        # Otherwise a part of the password would stand in plain sight, in the field of the host or the port.
        return Pasted(
            onto,
            refused="The host or the port of this URL cannot be read. A password with @ : / ? # or % in it is written "
            "with their percent codes, %40 for @.",
        )
    if _is_weak(given.get("require_auth")):
        return Pasted(
            onto,
            refused="The URL lets the server ask for the password in clear text or as md5. Allow that by hand if you "
            "trust the server.",
        )
    base = replace(onto, host="localhost", port="5432", dbname="", user="", password="", service="", options="")
    base = replace(base, sslmode="prefer", sslrootcert="", sslcert="", sslkey="")
    plain = {
        name: given[name]
        for name in ("host", "port", "dbname", "user", "password", "sslmode", "sslrootcert")
        if name in given
    }
    others = [f"{name}={_quoted(given[name])}" for name in _PASTED if name in given and name not in plain]
    others = [other for other in others if not other.startswith("application_name=")]
    return Pasted(replace(base, **plain, options=" ".join(others)), tuple(left))


def split_options(text: str) -> dict[str, str]:
    """Read "name=value name='a value'" into a dictionary, by libpq's own rules. Raises ValueError in plain words."""
    if not text.strip():
        return {}
    try:
        return {name: str(value) for name, value in ext.parse_dsn(text).items()}
    except psycopg2.Error as error:
        raise ValueError(f"libpq does not take this: {str(error).strip()}") from None


def _without_secrets(options: str) -> str:
    """Return *options* as they were typed, unless there is a secret among them."""
    try:
        given = split_options(options)
    except ValueError:
        return "" if any(name in options for name in _SECRET) else options
    if not any(name in given for name in _SECRET):
        return options
    return " ".join(f"{name}={_quoted(value)}" for name, value in given.items() if name not in _SECRET)


def _is_weak(require_auth: str | None) -> bool:
    """Whether *require_auth*, given by somebody else, lets a server have the password in clear text or as md5."""
    if require_auth is None:
        return False
    methods = {method.strip() for method in require_auth.split(",")}
    if all(method.startswith("!") for method in methods):
        return not {"!password", "!md5"} <= methods
    return bool(methods & {"password", "md5", "none"})


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w.,:/!-]+", value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _scrub(words: str, url: str) -> str:
    """Take the URL and its password out of libpq's words, which repeat them."""
    words = words.replace(url, "…")
    for secret in re.findall(r"//[^/@]*?:([^/]*)@|password\s*=\s*('[^']*'|\S+)", url):
        for part in filter(None, (each.strip("'") for each in secret)):
            # Where it stands by itself: a short one is a part of libpq's own words, and holes in these would tell it.
            words = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "…", words)

    def name_alone(quoted: re.Match[str]) -> str:
        name = quoted.group(1)
        is_name = re.fullmatch(r"\w+", name) and re.search(rf"(?:^|[\s?&]){name}\s*=", url)
        return quoted.group() if is_name else '"…"'

    # What libpq quotes may be a piece of an unquoted password: only the name of a parameter is repeated. With a mark in
    # the URL itself nobody can tell where such a piece ends.
    return re.sub(r'"(.*)"' if '"' in url else r'"([^"]*)"', name_alone, words, flags=re.DOTALL)
