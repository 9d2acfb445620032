import { randomUUID } from 'node:crypto';
import { loadConfig } from '../src/config.ts';
import { createLog } from '../src/server/log.ts';
import { operator } from '../src/services/access/audit.ts';
import { addKey } from '../src/services/access/keys.ts';
import { addUser } from '../src/services/access/users.ts';
import { toGlobalId } from '../src/services/relay/global-id.ts';
import { type Benchmark, median, percentile } from './figure.ts';
import { withFolder } from './server.ts';

/** Whether a stranger can tell by time what is somebody else's from what is not there: the two in turn, in one run. */
export const notYours: Benchmark = {
  title: '"Not yours" beside "not there": one project by its id',
  run: ({ isQuick }) =>
    withFolder(async (folder) => {
      // Loaded only here: it takes seconds, which `--help` does not need.
      const { startApp } = await import('../src/app.ts');
      const config = loadConfig({ PORT: '0', AUTH: 'required', RATE_LIMIT: '0', DATA_DIR: folder });
      const app = await startApp(config, { log: createLog('silent', { isTerminal: false }) });
      try {
        const { client } = app.database;
        const [owner, stranger] = await client.$transaction(async (tx) => [
          await addUser(tx, operator, { name: 'owner', role: 'MEMBER' }),
          await addUser(tx, operator, { name: 'stranger', role: 'MEMBER' }),
        ]);
        const row = {
          ...({ name: 'bench', scopes: ['READ'], ownerId: stranger!.id } as const),
          ...{ createdById: null, expiresAt: null },
        };
        const { secret } = await client.$transaction((tx) => addKey(tx, operator, row));
        const { id } = await client.project.findFirstOrThrow({ where: { ownerId: owner!.id } });
        // One document for all: of another one each time it would be the parser that is measured.
        const query = 'query ($id: ID!) { project(id: $id) { name } }';
        const ask = async (projectId: string): Promise<number> => {
          const variables = { id: toGlobalId('Project', projectId) };
          const began = performance.now();
          const response = await fetch(`${app.url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
            body: JSON.stringify({ query, variables }),
          });
          await response.arrayBuffer();
          return performance.now() - began;
        };
        const tries = isQuick ? 200 : 2_000;
        for (let i = 0; i < 200; i++) await ask(randomUUID());
        const [theirs, none]: [number[], number[]] = [[], []];
        for (let i = 0; i < tries; i++) {
          theirs.push(await ask(id));
          none.push(await ask(randomUUID()));
        }
        const unit = 'ms' as const;
        const note = `${tries} tries`;
        return [
          { what: 'not yours, median', value: median(theirs), unit, note },
          { what: 'not there, median', value: median(none), unit, note },
          {
            what: 'ratio of the medians',
            value: median(theirs) / median(none),
            unit: '×',
            atMost: 1.05,
          },
          { what: 'not yours, p95', value: percentile(theirs, 0.95), unit },
          { what: 'not there, p95', value: percentile(none, 0.95), unit },
        ];
      } finally {
        await app.close();
      }
    }),
};
