"""A SQLite connection, which only the thread that opened it may use: init() opens it, run() uses it."""

import json
import sqlite3
import threading


def init():
    global connection, local
    connection = sqlite3.connect(":memory:")
    connection.execute("create table cities (name text, people integer)")
    connection.execute("insert into cities values ('Bonn', 330000)")
    local = threading.local()
    local.model = "the model of this thread"


def run(data):
    name = json.loads(data)["name"]
    (people,) = connection.execute("select people from cities where name = ?", [name]).fetchone()
    return [people, local.model]
