"""What a registry takes as proof of a login: a Basic header, or a token of its token server.

The challenges and the token exchange are those of the distribution project (docs: "Token authentication
specification", and "OAuth2 token authentication" for identity tokens).
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable
from urllib.parse import urlencode

from build.registry import failures
from build.registry.address import Registry
from build.registry.credentials import IdentityToken, Login, PasswordLogin, credentials
from build.system.http import HttpClient
from build.system.http_failures import HttpError
from build.system.http_response import Response

#: The name under which token servers know this program.
_CLIENT_ID = "inference-images"

_PARAMETER = r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))'
_CHALLENGE = re.compile(rf"\b(Bearer|Basic)\s+((?:{_PARAMETER}\s*,?\s*)*)", re.IGNORECASE)


def challenges(header: str) -> dict[str, dict[str, str]]:
    """Read the header ``WWW-Authenticate``.

    Args:
        header: Its value; several challenges are separated by commas.

    Returns:
        Scheme in lower case (``bearer``, ``basic``) → its parameters.
    """
    schemes: dict[str, dict[str, str]] = {}
    for match in _CHALLENGE.finditer(header):
        pairs = re.finditer(_PARAMETER, match[2])
        schemes[match[1].lower()] = {pair[1].lower(): pair[2] or pair[3] or "" for pair in pairs}
    return schemes


class Authenticator:
    """Proves the login to one registry, and keeps its tokens. Threads may share it.

    Args:
        registry: The registry.
        http: Sends the requests to the token server.
    """

    def __init__(self, registry: Registry, http: HttpClient) -> None:
        self._registry = registry
        self._http = http
        self._lock = threading.RLock()
        self._login: Login | None = None
        self._login_is_read = False
        self._basic: str | None = None
        #: Scopes → header.
        self._tokens: dict[frozenset[str], str] = {}

    @property
    def logged_in(self) -> bool:
        """Whether a login is stored."""
        with self._lock:
            return self._stored_login() is not None

    def header(self, scopes: frozenset[str]) -> str | None:
        """The known value of ``Authorization`` for a request; None where the registry has not asked yet.

        Args:
            scopes: What the request needs: ``repository:acme/one:pull``.
        """
        return self._basic or self._tokens.get(scopes)

    def answer(self, response: Response, scopes: frozenset[str], tried: str | None) -> str | None:
        """Answer a challenge.

        Args:
            response: The registry's answer with status 401.
            scopes: What the request needs.
            tried: The header that the registry did not take.

        Returns:
            Another header to try; None where there is nothing else to try.

        Raises:
            RegistryError: The token server refuses or fails.
        """
        asked = challenges(response.headers.get("WWW-Authenticate") or "")
        with self._lock:  # one exchange for all threads that wait for the same
            known = self.header(scopes)
            if known is not None and known != tried:
                return known
            login = self._stored_login()
            if "bearer" in asked:
                token = self._token(asked["bearer"], scopes, login)
                self._tokens[scopes] = f"Bearer {token}"
                return self._tokens[scopes]
            if isinstance(login, PasswordLogin) and "basic" in asked and self._basic is None:
                self._basic = _basic(login)
                return self._basic
            return None

    def _stored_login(self) -> Login | None:
        if not self._login_is_read:
            self._login = credentials(self._registry)
            self._login_is_read = True
        return self._login

    def _token(self, challenge: dict[str, str], scopes: Iterable[str], login: Login | None) -> str:
        realm, service = challenge.get("realm", ""), challenge.get("service", "")
        doing = "asking its token server for access"
        if not realm.lower().startswith(("https://", "http://") if self._registry.insecure else "https://"):
            raise failures.not_a_registry(self._registry, doing, f"its token server is '{realm}', which is not https")
        wanted = _wanted(challenge.get("scope", ""), frozenset(scopes))
        try:
            response = self._exchange(realm, service, wanted, login)
        except HttpError as failure:
            raise failures.from_http(self._registry, failure, doing) from failure
        if not response.ok:
            # OAuth2 token servers answer 400 to a login that they do not take (RFC 6749, 5.2).
            if response.status == 400 and login is not None:
                raise failures.refused(self._registry, logged_in=True, details=failures.words_of(response))
            raise failures.from_response(self._registry, response, doing, logged_in=login is not None)
        try:
            document = response.json()
            return str(document.get("access_token") or document["token"])
        except (ValueError, KeyError, AttributeError) as failure:
            details = f"the token server {realm} gave no token"
            raise failures.not_a_registry(self._registry, doing, details) from failure

    def _exchange(self, realm: str, service: str, scopes: list[str], login: Login | None) -> Response:
        if isinstance(login, IdentityToken):
            form = {
                "grant_type": "refresh_token",
                "service": service,
                **({"scope": " ".join(scopes)} if scopes else {}),
                "client_id": _CLIENT_ID,
                "refresh_token": login.token,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._http.request("POST", realm, headers=headers, body=urlencode(form).encode(), retry=True)
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        if login is not None:
            query += [("account", login.username), ("client_id", _CLIENT_ID)]
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        return self._http.get(url, headers={"Authorization": _basic(login)} if login else None)


def _wanted(named: str, scopes: frozenset[str]) -> list[str]:
    """Return the scopes to ask for: those of the request, and what the registry names in addition for the same.

    GitHub's registry names a repository of somebody else where the request is about none (``GET /v2/`` gives
    ``repository:user/image:pull``), and refuses a token for it.
    """
    own = {_resource(scope) for scope in scopes}
    return sorted({*scopes, *(scope for scope in named.split() if _resource(scope) in own)})


def _resource(scope: str) -> str:
    """Return ``repository:acme/one`` of ``repository:acme/one:pull``."""
    return scope.rpartition(":")[0]


def _basic(login: PasswordLogin) -> str:
    text = base64.b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")
    return f"Basic {text}"
