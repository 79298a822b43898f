"""Syncs a source into a SQLite file through the connector service, resuming from the last sync.

    python3 client.py 127.0.0.1:50051 config.json stripe.db

The rows and the states are stored in one transaction, so the sync can be killed at any moment. Run it again for what
changed since. The exit code is 1 if the sync, or one of the streams, failed.
"""

import json
import pathlib
import random
import sqlite3
import sys
import time

import grpc
from google.protobuf import json_format, struct_pb2

sys.path.insert(0, str(pathlib.Path(__file__).parent / "gen"))
from connector.v1 import catalog_pb2, failure_pb2, read_pb2, service_pb2, service_pb2_grpc

ATTEMPTS = 10  # calls in a row without a new state before giving up
CHANNEL = [("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 20_000), ("grpc.enable_retries", 0)]
# Errors that gRPC makes itself and that are worth a retry.
TEMPORARY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}

TABLES = """
    CREATE TABLE IF NOT EXISTS rows (
        stream TEXT, account TEXT, key TEXT, generation INTEGER, data TEXT, PRIMARY KEY (stream, account, key));
    CREATE TABLE IF NOT EXISTS states (stream TEXT, account TEXT, state BLOB, PRIMARY KEY (stream, account));
"""


class Sync:
    def __init__(self, target, config, path):
        self.config = json_format.Parse(config, struct_pb2.Struct())
        self.database = sqlite3.connect(path)
        self.database.executescript(TABLES)
        self.channel = grpc.insecure_channel(target, CHANNEL)  # elsewhere than on this machine: grpc.secure_channel
        self.service = service_pb2_grpc.ConnectorServiceStub(self.channel)
        self.streams = {}  # by name
        self.progressed = False  # whether the current Read has brought a new state

    def run(self):
        """Reads all streams to their end. Raises grpc.RpcError if the sync or a stream failed."""
        idle = 0
        while True:
            self.progressed, wait = False, 0.0
            try:
                if self.read():
                    return
            except grpc.RpcError as error:
                failure = failure_of(error)
                if not failure.retryable:
                    raise
                print(f"will retry: {failure.message}", file=sys.stderr)
                wait = failure.retry_after.ToTimedelta().total_seconds()
                if idle == ATTEMPTS:
                    raise
            idle = 0 if self.progressed else idle + 1
            if not wait and idle:
                wait = min(0.5 * 2 ** (idle - 1), 30) * random.uniform(0.5, 1)
            time.sleep(wait)

    def read(self):
        """Does one Read from the stored states. Reports whether it finished."""
        if not self.streams:
            catalog = self.service.Discover(service_pb2.DiscoverRequest(config=self.config))
            self.streams = {stream.name: stream for stream in catalog.streams}
        states = self.database.execute("SELECT stream, state FROM states").fetchall()
        request = read_pb2.ReadRequest(
            config=self.config,
            streams=[
                catalog_pb2.ConfiguredStream(stream=name, sync_mode=catalog_pb2.SYNC_MODE_INCREMENTAL)
                for name in self.streams
            ],
            # The state of a stream that isn't requested stays stored, but would be refused.
            states=[read_pb2.StreamState.FromString(state) for stream, state in states if stream in self.streams],
        )
        finished = False  # a Read without a summary was interrupted, whatever its status
        try:
            for message in self.service.Read(request):
                kind = message.WhichOneof("message")
                if kind == "records":
                    for record in message.records.records:
                        self.apply(message.records, record)
                elif kind == "checkpoint":
                    self.store(message.checkpoint.state)
                elif kind == "stream_status":
                    self.ended(message.stream_status)
                elif kind == "summary":
                    finished = not message.summary.has_more
                    for stream in message.summary.streams:
                        if stream.set_aside_total:
                            print(f"{stream.stream}: {stream.set_aside_total} objects can't be read yet", file=sys.stderr)
        finally:
            self.database.rollback()  # what no state covers is sent again
        return finished

    def apply(self, batch, record):
        """Applies one record. Records of a stream must be applied in the order received."""
        values, place = json.loads(record.data), (batch.stream, batch.account)
        if record.operation == read_pb2.OPERATION_UPSERT:
            self.database.execute(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)",
                (*place, self.key(batch.stream, values), batch.generation, record.data),
            )
        elif record.operation == read_pb2.OPERATION_DELETE:
            self.database.execute(
                "DELETE FROM rows WHERE stream = ? AND account = ? AND key = ?",
                (*place, self.key(batch.stream, values)),
            )
        elif record.operation == read_pb2.OPERATION_DELETE_MATCHING:
            # All children of one parent. A table with a column for the parent would have an index on it.
            matches = "".join(" AND json_extract(data, ?) = ?" for _ in values)
            wanted = [part for field, value in values.items() for part in (f"$.{field}", value)]
            self.database.execute(
                f"DELETE FROM rows WHERE stream = ? AND account = ?{matches}", (*place, *wanted)
            )
        else:
            raise ValueError(f"unknown operation {record.operation}")  # from a newer server

    def key(self, stream, values):
        """Returns the primary key of a row as text. It consists of one or more fields, which may be nested."""
        parts = []
        for path in self.streams[stream].primary_key:
            value = values
            for name in path.split("."):
                value = value[name]
            parts.append(value)
        return json.dumps(parts)

    def store(self, state):
        """Commits a state together with the records before it."""
        self.database.execute(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (state.stream, state.account, state.SerializeToString())
        )
        self.database.commit()
        self.progressed = True

    def ended(self, status):
        """Deletes what the source no longer has, if a stream was read to its end."""
        if status.status == read_pb2.STREAM_STATUS_COMPLETE:
            self.database.execute(
                "DELETE FROM rows WHERE stream = ? AND account = ? AND generation < ?",
                (status.stream, status.account, status.generation),
            )
            self.database.commit()
        elif status.HasField("failure"):  # INCOMPLETE or SKIPPED: the rows stay, and the other streams go on
            print(f"{status.stream}: {status.failure.message}", file=sys.stderr)

    def close(self):
        self.channel.close()
        self.database.close()


def failure_of(error):
    """Returns the Failure of an error, or a new one for an error that the connector didn't make."""
    for key, value in error.trailing_metadata() or ():
        if key == "connector-failure-bin":
            return failure_pb2.Failure.FromString(value)
    return failure_pb2.Failure(message=error.details(), retryable=error.code() in TEMPORARY)


def main(target, config, path):
    sync = Sync(target, pathlib.Path(config).read_text(), path)
    try:
        sync.run()
    except grpc.RpcError as error:
        sys.exit(f"failed: {failure_of(error).message}")
    finally:
        sync.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
