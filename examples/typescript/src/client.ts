// Syncs a source into a file through the connector service, resuming from the last sync.
//
//   node dist/client.js 127.0.0.1:50051 config.json stripe.json
//
// The rows and the states are stored together, so the sync can be killed at any moment. Run it again for what changed
// since. The exit code is 1 if the sync, or one of the streams, failed.

import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SyncMode, type Stream } from "./gen/connector/v1/catalog_pb.js";
import { FailureSchema, type Failure } from "./gen/connector/v1/failure_pb.js";
import { Operation, StreamStatus, type Record, type RecordBatch } from "./gen/connector/v1/read_pb.js";
import { ConnectorService } from "./gen/connector/v1/service_pb.js";
import { Store } from "./store.js";

const attempts = 10; // calls in a row without a new state before giving up

/** Codes of errors that gRPC makes itself and that are worth a retry. */
const temporary = [Code.Unavailable, Code.Internal, Code.Unknown, Code.Aborted, Code.Canceled];

/** Reads all streams to their end. Throws a ConnectError if the sync or a stream failed. */
export async function sync(target: string, config: JsonObject, store: Store): Promise<void> {
  const transport = createGrpcTransport({ baseUrl: `http://${target}`, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 });
  const service = createClient(ConnectorService, transport);
  const streams = new Map<string, Stream>();
  for (let idle = 0; ; ) {
    const commits = store.commits;
    let wait = 0;
    try {
      if (streams.size === 0) {
        const catalog = await service.discover({ config });
        catalog.streams.forEach((stream) => streams.set(stream.name, stream));
      }
      if (await read(service, config, streams, store)) return;
    } catch (error) {
      const failure = failureOf(error);
      if (!failure.retryable || idle === attempts) throw error;
      console.error(`will retry: ${failure.message}`);
      wait = failure.retryAfter ? durationMs(failure.retryAfter) : 0;
    } finally {
      store.save();
    }
    idle = store.commits > commits ? 0 : idle + 1;
    if (wait === 0 && idle > 0) wait = Math.min(500 * 2 ** (idle - 1), 30_000) * (0.5 + Math.random() / 2);
    await sleep(wait);
  }
}

/** Does one Read from the stored states. Returns whether it finished. */
async function read(
  service: Client<typeof ConnectorService>,
  config: JsonObject,
  streams: Map<string, Stream>,
  store: Store,
): Promise<boolean> {
  const request = {
    config,
    streams: [...streams.keys()].map((stream) => ({ stream, syncMode: SyncMode.INCREMENTAL })),
    // The state of a stream that isn't requested stays stored, but would be refused.
    states: store.states().filter((state) => streams.has(state.stream)),
  };
  let finished = false; // a Read without a summary was interrupted, whatever its status
  for await (const { message } of service.read(request)) {
    switch (message.case) {
      case "records":
        for (const record of message.value.records) apply(store, streams, message.value, record);
        break;
      case "checkpoint":
        if (message.value.state) store.commit(message.value.state);
        break;
      case "streamStatus": {
        const { stream, account, status, generation, failure } = message.value;
        if (status === StreamStatus.COMPLETE) {
          store.prune(stream, account, generation); // what the source no longer has
        } else if (failure) {
          console.error(`${stream}: ${failure.message}`); // INCOMPLETE or SKIPPED: the rows stay, and the other streams go on
        }
        break;
      }
      case "summary":
        finished = !message.value.hasMore;
        for (const { stream, setAsideTotal } of message.value.streams) {
          if (setAsideTotal > 0n) console.error(`${stream}: ${setAsideTotal} objects can't be read yet`);
        }
        break;
    }
  }
  return finished;
}

/** Applies one record. Records of a stream must be applied in the order received. */
function apply(store: Store, streams: Map<string, Stream>, batch: RecordBatch, record: Record): void {
  const values = JSON.parse(record.data); // only for its keys: JSON.parse rounds large numbers
  const paths = streams.get(batch.stream)?.primaryKey ?? [];
  const rows = store.rows(batch.stream, batch.account);
  const key = (): string => JSON.stringify(paths.map((path) => path.split(".").reduce((value, name) => value[name], values)));
  switch (record.operation) {
    case Operation.UPSERT:
      rows[key()] = { generation: batch.generation.toString(), data: record.data };
      break;
    case Operation.DELETE:
      delete rows[key()];
      break;
    case Operation.DELETE_MATCHING: // all children of one parent
      for (const [key, row] of Object.entries(rows)) {
        const has = JSON.parse(row.data);
        if (Object.entries(values).every(([field, value]) => has[field] === value)) delete rows[key];
      }
      break;
    default:
      throw new Error(`unknown operation ${record.operation}`); // from a newer server
  }
}

/** Returns the Failure of an error, or a new one for an error that the connector didn't make. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof ConnectError)) throw error; // a bug
  const [failure] = error.findDetails(FailureSchema);
  return failure ?? create(FailureSchema, { message: error.rawMessage, retryable: temporary.includes(error.code) });
}

/** Syncs into a store. Sets the exit code. */
export async function main(target: string, config: string, store: Store): Promise<void> {
  try {
    await sync(target, JSON.parse(readFileSync(config, "utf8")), store);
  } catch (error) {
    console.error(`failed: ${failureOf(error).message}`);
    process.exitCode = 1;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [target = "", config = "", path = ""] = argv.slice(2);
  await main(target, config, new Store(path));
}
