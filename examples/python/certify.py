"""Runs the client as `stripe-connector conformance -- python3 certify.py` expects, and exports its rows."""

import contextlib
import os
import pathlib
import sqlite3

import client

folder = pathlib.Path(os.environ["STRIPE_CONNECTOR_FOLDER"])
database = folder / "rows.db"
try:
    client.main(os.environ["STRIPE_CONNECTOR_TARGET"], os.environ["STRIPE_CONNECTOR_CONFIG"], database)
finally:
    with contextlib.closing(sqlite3.connect(database)) as rows, contextlib.ExitStack() as files:
        opened = {}
        for stream, data in rows.execute("SELECT stream, data FROM rows"):
            if stream not in opened:
                opened[stream] = files.enter_context(open(folder / f"{stream}.jsonl", "w", encoding="utf-8"))
            opened[stream].write(data + "\n")
