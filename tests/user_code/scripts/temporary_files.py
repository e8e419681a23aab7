"""Temporary files and folders, on a file system that is read-only except /tmp."""

import os
import shutil
import sqlite3
import tempfile
import zipfile


def init():
    global folder
    folder = tempfile.mkdtemp()


def run(data):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file, tempfile.TemporaryDirectory() as work:
        file.write(data)
        file.flush()
        shutil.copy(file.name, work)
        archive = os.path.join(work, "a.zip")
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.write(file.name, "a.txt")
        with zipfile.ZipFile(archive) as zipped:
            content = zipped.read("a.txt").decode()
    database = sqlite3.connect(os.path.join(folder, "cache.db"))
    database.execute("create table if not exists calls (content text)")
    database.execute("insert into calls values (?)", [content])
    database.commit()
    (count,) = database.execute("select count(*) from calls").fetchone()
    database.close()
    try:
        open("note.txt", "w").close()
    except OSError as error:
        return [content, count, error.strerror]
    return [content, count, "written"]
