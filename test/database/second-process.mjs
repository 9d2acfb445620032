// A process that opens a data folder as the program does, says how that went, and writes rows until
// it is killed. `node second-process.mjs <folder>`; prints `open`, then every acknowledged number, one a line.
import { writeSync } from 'node:fs';
import { openDatabase } from '../../dist/database/client.js';

const say = (line) => writeSync(1, `${line}\n`); // not buffered: what was said was acknowledged

try {
  const { client } = await openDatabase({ dataDir: process.argv[2] });
  say('open');
  const { id: ownerId } = await client.user.findUniqueOrThrow({ where: { name: 'local' } });
  let number = await client.event.count();
  for (;;) {
    number++;
    await client.event.create({ data: { ownerId, number, type: 'Written' } });
    say(number);
  }
} catch (error) {
  say(`${error.name}: ${error.message}`);
  process.exit(1);
}
