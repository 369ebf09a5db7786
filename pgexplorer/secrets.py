"""Passwords: in the system keyring, or for this run only. Never anywhere else. No Qt."""

import logging

_SERVICE = "pgexplorer"
_log = logging.getLogger(__name__)


class Secrets:
    """What the program knows of passwords. Every call may ask the keyring and block: not for the GUI thread."""

    def __init__(self) -> None:
        self._this_run: dict[str, str] = {}

    def trouble(self) -> str:
        """Say why passwords cannot be kept in a keyring here, in words; empty when they can."""
        try:
            import keyring
            import keyring.backends.fail

            backend = keyring.get_keyring()
        except Exception as error:
            return f"The system keyring cannot be used: {error}"
        name = type(backend).__module__
        if isinstance(backend, keyring.backends.fail.Keyring) or name.startswith("keyring.backends.null"):
            return "There is no system keyring here: passwords are kept for this run only."
        if "plaintext" in type(backend).__name__.lower() or name.startswith("keyrings.alt"):
            return "The keyring here keeps passwords in clear text: they are kept for this run only."
        return ""

    def remember(self, address: str, password: str, *, keep: bool) -> str:
        """Remember the password for *address* this run, with *keep* in the keyring too; return a warning or ""."""
        self._this_run[address] = password
        if not keep:
            return ""
        if trouble := self.trouble():
            return trouble
        import keyring

        try:
            keyring.set_password(_SERVICE, address, password)
        except Exception as error:
            _log.warning("the keyring refused: %s", type(error).__name__)
            return f"The keyring did not take the password ({type(error).__name__}): it is kept for this run only."
        return ""

    def recall(self, address: str, *, kept: bool) -> str:
        """Return the password for *address*, or "" when it is not known."""
        if address in self._this_run:
            return self._this_run[address]
        if not kept or self.trouble():
            return ""
        import keyring

        try:
            return keyring.get_password(_SERVICE, address) or ""
        except Exception as error:
            _log.warning("the keyring refused: %s", type(error).__name__)
            return ""

    def forget(self, address: str) -> None:
        """Forget the password for *address*, in the keyring too."""
        self._this_run.pop(address, None)
        if self.trouble():
            return
        import keyring

        try:
            keyring.delete_password(_SERVICE, address)
        except Exception:
            _log.info("the keyring had nothing to forget")
