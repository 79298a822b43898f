// Runs the client as `stripe-connector conformance -- node dist/certify.js` expects, and exports its rows.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { env, exit } from "node:process";
import { main } from "./client.js";
import { Store } from "./store.js";

const { STRIPE_CONNECTOR_TARGET: target = "", STRIPE_CONNECTOR_CONFIG: config = "", STRIPE_CONNECTOR_FOLDER: folder = "" } = env;
const store = new Store(join(folder, "store.json"));
await main(target, config, store);
for (const [stream, rows] of store.streams()) {
  writeFileSync(join(folder, `${stream}.jsonl`), rows.map((row) => row + "\n").join(""));
}
exit(); // without waiting for idle connections
