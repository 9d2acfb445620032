import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { currentOwner } from '../../src/database/ownership.ts';
import { createLog } from '../../src/server/log.ts';
import { copyDataFolder } from '../support/database.ts';
import { standIn } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

it('leaves no timer and no owner of the data folder behind', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'easel-failed-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  await copyDataFolder(dataDir);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const engine = {
    ...standIn(createStepwise().generate),
    get generate(): never {
      throw new Error('no hands');
    },
  };
  const config = { ...loadConfig({ PORT: '0', DEFAULT_MODEL: 'random' }), dataDir };
  const log = createLog('silent', { isTerminal: false });
  await expect(startApp(config, { log, overrides: { engine } })).rejects.toThrow('no hands');
  expect(vi.getTimerCount()).toBe(0);
  expect(await currentOwner(dataDir)).toBeNull();
});
