import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { JsonObject } from "@bufbuild/protobuf";
import type { StreamState } from "./gen/connector/v1/read_pb.js";

/** A stored version of an object. */
export interface Row {
  generation: string; // of 64 bits, which a number doesn't have
  data: string;
}

/** How often to write the file, in milliseconds. */
const interval = 1000;

/** Holds rows and states in memory and in one file. A client for more than an example would use a database's transactions. */
export class Store {
  /** The number of states that were committed. */
  commits = 0;
  private saved = Date.now();
  private content: {
    states: { [key: string]: { stream: string; account: string; content: JsonObject } };
    rows: { [key: string]: { [key: string]: Row } };
  } = { states: {}, rows: {} };

  constructor(private readonly path: string) {
    if (existsSync(path)) this.content = JSON.parse(readFileSync(path, "utf8"));
  }

  /** Returns the last committed states. */
  states() {
    return Object.values(this.content.states);
  }

  /** Returns the rows of a stream of an account, by primary key. */
  rows(stream: string, account: string): { [key: string]: Row } {
    return (this.content.rows[`${stream} ${account}`] ??= {});
  }

  /** Returns the names of the streams, with the data of their rows. */
  *streams(): Generator<[string, string[]]> {
    for (const [name, rows] of Object.entries(this.content.rows)) {
      yield [name.split(" ")[0] ?? "", Object.values(rows).map((row) => row.data)];
    }
  }

  /** Keeps a state. It is written together with the records before it, at the latest by save. */
  commit({ stream, account, content }: StreamState): void {
    this.content.states[`${stream} ${account}`] = { stream, account, content: content ?? {} };
    this.commits++;
    if (Date.now() - this.saved >= interval) this.save();
  }

  /** Deletes the rows of older generations. */
  prune(stream: string, account: string, generation: bigint): void {
    const rows = this.rows(stream, account);
    for (const [key, row] of Object.entries(rows)) {
      if (BigInt(row.generation) < generation) delete rows[key];
    }
  }

  /** Writes the file: all of it or nothing. */
  save(): void {
    writeFileSync(`${this.path}.new`, JSON.stringify(this.content));
    renameSync(`${this.path}.new`, this.path);
    this.saved = Date.now();
  }
}
