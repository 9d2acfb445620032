import { existsSync, readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstTabs } from '../../pages/graphiql/tabs.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
  existsSync(path),
);
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const page = () => fetch(`${server.url}/graphql`, { headers: { accept: 'text/html,*/*;q=0.8' } });

describe('the API explorer', () => {
  it('is served from this server alone, and its policy forbids other hosts', async () => {
    const response = await page();
    const html = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    const files = links.filter((link) => !link.startsWith('data:'));
    expect(files).toHaveLength(2);
    expect(links.some((link) => /^(https?:)?\/\//.test(link))).toBe(false);
    for (const file of files) {
      const answer = await fetch(new URL(file, server.url));
      expect(answer.status).toBe(200);
      const text = await answer.text();
      if (!file.endsWith('.css')) continue;
      const loaded = [...text.matchAll(/url\(["']?([^"')]+)/g)].map(([, url]) => url!);
      expect(loaded.filter((url) => /^(https?:)?\/\//.test(url))).toEqual([]);
    }
  });

  it('has every script, style, font and worker that it refers to', async () => {
    const missing: string[] = [];
    const seen = new Set<string>();
    const visit = async (text: string): Promise<void> => {
      for (const [file] of text.matchAll(/\/pages\/graphiql\/[\w.-]+\.(?:js|css|ttf)/g)) {
        if (seen.has(file)) continue;
        seen.add(file);
        const answer = await fetch(new URL(file, server.url));
        if (answer.ok) await visit(await answer.text());
        else missing.push(file);
      }
    };
    await visit(await (await page()).text());
    expect(missing).toEqual([]);
    expect([...seen].filter((file) => /(editor|json|graphql)\.worker/.test(file))).toHaveLength(3);
  });

  it('is served to a browser also for a query in the address', async () => {
    const accept =
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';
    const query = encodeURIComponent('{ viewer { user { name } } }');
    const response = await fetch(`${server.url}/graphql?query=${query}`, { headers: { accept } });
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).toBe(await (await page()).text());
    expect(html).not.toMatch(/https?:\/\//);
  });

  it('is not served to a program', async () => {
    const response = await fetch(`${server.url}/graphql?query={__typename}`, {
      headers: { accept: 'application/json', 'apollo-require-preflight': '1' },
    });
    expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
  });

  it('has a first query, mutation and subscription that fit the schema', () => {
    const schema = buildSchema(
      readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'),
    );
    expect(firstTabs).toHaveLength(3);
    for (const { query } of firstTabs) expect(validate(schema, parse(query))).toEqual([]);
  });
});

// npm installs no browser: where the machine has none, what the page needs is checked above without one.
describe.runIf(browserPath)('the API explorer in a browser', () => {
  let browser: Browser;
  let tab: Page;
  const foreign: string[] = [];
  const complaints: string[] = [];
  const complain = (text: string) => {
    // Told no (see `untilAnswered`): over HTTP by a status, over the socket by an array of errors.
    if (!/status of 400|^Array\(\d+\)$/.test(text)) complaints.push(text);
  };

  /** A first visit: nothing is remembered of an earlier page. */
  async function openPage(): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      if (/^(http|ws)/.test(protocol) && host !== new URL(server.url).host)
        foreign.push(request.url());
    });
    page.on('console', (message) => {
      if (message.type() === 'error') complain(message.text());
    });
    page.on('pageerror', (error) => complain(error.message));
    await page.goto(`${server.url}/graphql`);
    await page.locator('.graphiql-query-editor .view-lines').waitFor();
    return page;
  }

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
    tab = await openPage();
  });
  afterAll(() => browser?.close());

  const answer = () => tab.locator('.graphiql-response').textContent();
  const openTab = (name: string) => tab.getByRole('tab', { name }).click();
  const button = (name: RegExp) => tab.getByRole('button', { name });
  /**
   * Right after a change the editor may still ask for the operation that stood there, and is told no: so whoever
   * waits for an answer presses again where nothing runs. Not by the mouse: what is offered to complete may lie
   * over the button.
   */
  const untilAnswered = (expected: RegExp, meanwhile = async () => {}) =>
    expect
      .poll(
        async () => {
          const shown = (await answer()) ?? '';
          if (expected.test(shown)) return shown;
          const execute = button(/execute query/i);
          if ((await execute.count()) > 0) await execute.dispatchEvent('click');
          else await meanwhile();
          return shown;
        },
        { timeout: 40_000, interval: 500 },
      )
      .toMatch(expected);

  it('answers a query that somebody types', async () => {
    await tab.locator('.graphiql-query-editor .view-lines').click();
    await tab.keyboard.press('ControlOrMeta+A');
    await tab.keyboard.press('Delete');
    // Typed as people do it; the editor closes the braces that are opened.
    await tab.keyboard.type('{ viewer { user { name', { delay: 5 });
    await untilAnswered(/"name":\s*"local"/);
  });

  it('runs its subscription and shows the events', async () => {
    await openTab('Watch');
    const draw =
      'mutation { generate(input: { settings: { prompt: "a boat", steps: 4 } }) { replayed } }';
    await untilAnswered(/Generation(Progress|ImageReady|Succeeded)/, () => server.gql(draw));
    await button(/stop query/i).dispatchEvent('click');
  });

  it('runs its mutation', async () => {
    await openTab('Draw');
    await untilAnswered(/"status":\s*"(QUEUED|RUNNING)"/);
    if (process.env['SCREENSHOT']) await tab.screenshot({ path: process.env['SCREENSHOT'] });
  });

  it('shows in "Watch" what "Draw" has started, in the order that the comments say', async () => {
    tab = await openPage();
    await openTab('Draw');
    await tab.locator('.graphiql-editor-tool .view-lines').first().click();
    await tab.keyboard.press('ControlOrMeta+A');
    await tab.keyboard.press('Delete');
    // Long enough to be watched: the model of this test takes milliseconds for a step.
    const settings = { prompt: 'a boat', steps: 100, count: 8 };
    await tab.keyboard.insertText(JSON.stringify({ settings }));
    await untilAnswered(/"status":\s*"QUEUED"/);
    await openTab('Watch');
    // On a slow machine it may be over before the page has changed its tab: then another one is started.
    const again =
      'mutation ($settings: SettingsInput!) { generate(input: { settings: $settings }) { replayed } }';
    await untilAnswered(/Generation(Progress|ImageReady|Succeeded)/, () =>
      server.gql(again, { settings }),
    );
    await button(/stop query/i).dispatchEvent('click');
  });

  it('opens with the query and variables of its address', async () => {
    const parameters = new URLSearchParams({
      query: 'query One($id: ID!) { node(id: $id) { id } } query Two { __typename }',
      variables: '{ "id": "an-id" }',
    });
    const address = `${server.url}/graphql?${parameters}`;
    const opened = await browser.newPage();
    await opened.goto(address);
    const shown = opened.locator('.graphiql-query-editor .view-lines');
    await shown.waitFor();
    await expect.poll(() => shown.textContent(), { timeout: 10_000 }).toContain('$id');
    await expect
      .poll(() => opened.locator('.graphiql-editor-tool .view-lines').first().textContent())
      .toContain('an-id');
    await opened.close();
  });

  it('requests nothing from other hosts and logs no error', () => {
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
