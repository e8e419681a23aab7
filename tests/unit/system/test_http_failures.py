"""What is printed of an address: never a login, however it is written."""

from __future__ import annotations

import pytest

from build.system.http_failures import is_only_here, shown, without_logins


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://index.example/simple/", "https://index.example/simple/"),
        ("https://user:secret@index.example/simple?token=secret#secret", "https://index.example/simple"),
        ("https://secret@index.example:99999999/simple", "https://index.example:99999999/simple"),
        ("https://user:p@secret@index.example/simple", "https://index.example/simple"),
        ("https://user:pass/secret@index.example/simple", "https://****@index.example/simple"),
        ("https://user:secret?word@index.example/simple", "https://****@index.example/simple"),
        ("https://user:secret#word@index.example/simple", "https://****@index.example/simple"),
        ("user:p@secret@index.example/simple", "****@index.example/simple"),
        ("secret@index.example/simple", "****@index.example/simple"),
        ("https://user:secret@[index/simple", "(not an address)"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:3141/simple", True),
        ("http://user:secret@[::1]/simple", True),
        ("http://LOCALHOST/simple", True),
        ("http://index.localhost./simple", True),
        ("http://0.0.0.0:3141/simple", True),
        ("file:///srv/simple", True),
        ("http://192.0.2.1/simple", False),
        ("http://localhost.example/simple", False),
        ("http://[::1:3128", False),  # not an address
    ],
)
def test_an_address_of_this_machine_itself_is_known(url: str, expected: bool) -> None:
    assert is_only_here(url) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("invalid value 'https://user:pass/secret@h/x': no port", "invalid value 'https://****@h/x': no port"),
        ("https://secret@h:99999999/x is no address", "https://****@h:99999999/x is no address"),
        ("https://user:p@secret@h/x", "https://****@h/x"),
        ("user:p@secret@h/x, user:pass/secret@h/x", "****@h/x, ****@h/x"),
        ("https://h/x and me@example.com", "https://h/x and me@example.com"),
    ],
)
def test_a_text_is_shown_without_logins(text: str, expected: str) -> None:
    assert without_logins(text) == expected
