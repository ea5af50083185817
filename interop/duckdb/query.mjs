// Runs the SQL statements of standard input in a database in memory, and prints
// the rows of the last one as JSON: arrays of texts.
import { readFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

const db = await DuckDBInstance.create(":memory:");
const connection = await db.connect();
const statements = await connection.extractStatements(readFileSync(0, "utf8"));
let rows = [];
for (let i = 0; i < statements.count; i++) {
  const prepared = await statements.prepare(i);
  rows = await (await prepared.runAndReadAll()).getRows();
}
console.log(JSON.stringify(rows.map((row) => row.map((v) => (v === null ? null : String(v))))));
