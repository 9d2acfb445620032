import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlQueryable,
} from '@prisma/driver-adapter-utils';
import pg from 'pg';

/**
 * The SQL that turns the database behind `connection` into what `schema` (the text of a Prisma
 * schema) says; empty where they agree. Prisma's own engine compares them, in process.
 * For development and tests: the engine is no dependency of the running server.
 */
export async function schemaDiff(connection: pg.PoolConfig, schema: string): Promise<string> {
  const { SchemaEngine } = await loadEngine();
  const file = { path: 'schema.prisma', content: schema };
  const pool = new pg.Pool(connection);
  pool.on('connect', showInternalChars);
  const factory = new PrismaPg(pool);
  const connect = factory.connect.bind(factory);
  factory.connect = async () => readInternalChars(await connect());
  const adapter = bindMigrationAwareSqlAdapterFactory(factory);
  const engine = await SchemaEngine.new(
    { datamodels: [[file.path, file.content]] },
    () => {},
    adapter,
  );
  try {
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files: [file], configDir: '.' },
      to: { tag: 'schemaDatamodel', files: [file] },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    const sql = stdout ?? '';
    return /^\s*(--[^\n]*\s*)*$/.test(sql) ? '' : sql;
  } finally {
    engine.free();
    await pool.end();
  }
}

/**
 * The engine reads columns of PostgreSQL's internal type "char" (18) from the catalogue, a type that
 * the adapter refuses: they pass it as arrays of it (1002), which the catalogue has none of, and become
 * single ones behind it.
 */
function showInternalChars(client: pg.PoolClient): void {
  const { connection } = client as pg.PoolClient & { connection: EventEmitter };
  connection.on('rowDescription', ({ fields }: { fields: { dataTypeID: number }[] }) => {
    for (const field of fields) if (field.dataTypeID === 18) field.dataTypeID = 1002;
  });
}

function readInternalChars<A extends SqlQueryable>(adapter: A): A {
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query);
    const columnTypes = result.columnTypes.map((type) =>
      type === ColumnTypeEnum.CharacterArray ? ColumnTypeEnum.Character : type,
    );
    return { ...result, columnTypes };
  };
  return adapter;
}

type Engine = typeof import('@prisma/schema-engine-wasm');

/** What of WebAssembly is used here; neither the compiler's library nor Node's types declare it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: { __wbindgen_start(): void } };
};

let loaded: Promise<Engine> | undefined;

/** The package's entry imports a `.wasm` file, which Node 20 cannot: it is instantiated by hand. */
function loadEngine(): Promise<Engine> {
  loaded ??= (async () => {
    const path = createRequire(import.meta.url).resolve(
      '@prisma/schema-engine-wasm/schema_engine_bg',
    );
    const glue = await import(pathToFileURL(path).href);
    const bytes = readFileSync(join(dirname(path), 'schema_engine_bg.wasm'));
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, { './schema_engine_bg.js': glue });
    glue.__wbg_set_wasm(exports);
    exports.__wbindgen_start();
    return glue;
  })();
  return loaded;
}
