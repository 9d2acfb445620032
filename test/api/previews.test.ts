import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { all, startTestServer, type TestServer, take } from '../support/server.ts';
import { createStepwise, type Stepwise } from '../support/stepwise.ts';

let engine: Stepwise = createStepwise();
const starting = startTestServer({
  generate: (request, options) => engine.generate(request, options),
});
let server: TestServer;

beforeEach(async () => {
  engine = createStepwise();
  server = await starting;
});
afterAll(async () => (await starting).close());

const mutation = `mutation ($input: GenerateInput!) { generate(input: $input) { generation { id eventCursor } } }`;

async function begin(): Promise<{ id: string; eventCursor: string }> {
  const input = { settings: { prompt: 'a boat', steps: 6, seed: '1' } };
  const { generation } = (await server.gql(mutation, { input })).generate;
  await engine.started();
  onTestFinished(() => engine.release());
  return generation;
}

const counts = () => ({ ...server.app.frames });
const progress = (fields: string, preview = '') => `subscription ($id: ID!) {
  generationEvents(id: $id${preview}) { __typename ... on GenerationProgress { step steps ${fields} } }
}`;

/** Lets the image take one step after each event, until the iteration ends. */
async function follow(query: string, id: string) {
  const seen = [];
  for await (const event of server.subscribe(query, { id })) {
    seen.push(event);
    engine.advance(1);
  }
  return seen;
}

describe('a frame', () => {
  it('is neither computed nor encoded without a subscriber', async () => {
    const before = counts();
    const { id } = await begin();
    engine.release();
    await all(
      server.subscribe('subscription ($id: ID!) { generationEvents(id: $id) { __typename } }', {
        id,
      }),
    );
    expect(counts()).toEqual(before);
  });

  it('is neither computed nor encoded for a subscription that does not select previews', async () => {
    const before = counts();
    const { id } = await begin();
    const seen = await follow(progress('generation { progress }'), id);
    expect(
      seen.filter(({ __typename }) => __typename === 'GenerationProgress').length,
    ).toBeGreaterThan(1);
    expect(counts()).toEqual(before);
  });

  it('is not computed where the selection is left out by a directive', async () => {
    const before = counts();
    const { id } = await begin();
    await follow(progress('previews @include(if: false) { index }'), id);
    expect(counts()).toEqual(before);
  });

  it('is sent to each subscriber in the size and format that it asked for', async () => {
    const before = counts();
    const { id } = await begin();
    const fields = 'previews { index step width height dataUrl }';
    const small = follow(progress(fields, ', preview: { everyMs: 0 }'), id);
    const large = follow(
      progress(fields, ', preview: { everyMs: 0, maxSize: 32, format: JPEG }'),
      id,
    );
    const [smallEvents, largeEvents] = await Promise.all([small, large]);
    const framesOf = (events: { previews?: { width: number; dataUrl: string }[] }[]) =>
      events.flatMap(({ previews = [] }) => previews);
    const [smallFrames, largeFrames] = [framesOf(smallEvents), framesOf(largeEvents)];
    expect(smallFrames.length).toBeGreaterThan(0);
    expect(largeFrames.length).toBeGreaterThan(0);
    for (const frame of smallFrames) {
      expect(frame).toMatchObject({ width: 8, height: 8 });
      expect(frame.dataUrl).toMatch(/^data:image\/webp;base64,/);
    }
    for (const frame of largeFrames) {
      expect(frame).toMatchObject({ width: 32, height: 32 });
      expect(frame.dataUrl).toMatch(/^data:image\/jpeg;base64,/);
    }
    expect(counts().framesComputed).toBeGreaterThan(before.framesComputed);
    expect(counts().framesEncoded).toBeGreaterThan(before.framesEncoded);
  });

  it('is returned to a client that polls Generation.previews', async () => {
    const { id } = await begin();
    const poll = async () => {
      const query =
        'query ($id: ID!) { generation(id: $id) { previews(maxSize: 16) { index step width } } }';
      return (await server.gql(query, { id })).generation.previews;
    };
    expect(await poll()).toEqual([]);
    engine.advance(2);
    await vi.waitFor(async () => {
      expect(await poll()).toEqual([{ index: 0, step: 2, width: 16 }]);
    });
    engine.release();
    await all(server.subscribe(progress(''), { id }));
    expect(await poll()).toEqual([]);
  });

  it('is counted in the metrics', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const { framesComputed, framesEncoded } = counts();
    expect(text).toContain(`easel_preview_frames_computed_total ${framesComputed}`);
    expect(text).toContain(`easel_preview_frames_encoded_total ${framesEncoded}`);
    expect(text).toMatch(/easel_generations\{status="waiting"\} 0/);
    expect(text).toMatch(/nodejs_eventloop_lag_seconds/);
  });
});

describe('events', () => {
  const states = '__typename ... on GenerationEvent { generation { id status } }';

  it('of a whole project, and of all that is the viewer’s, come in one sequence', async () => {
    const { viewer } = await server.gql('{ viewer { eventCursor defaultProject { id } } }');
    const { eventCursor: after, defaultProject } = viewer;
    const { id } = await begin();
    engine.release();
    const variables = { projectId: defaultProject.id, after };
    const [ofProject, ofViewer] = await Promise.all([
      take(
        logged(
          server.subscribe(
            `subscription ($projectId: ID!, $after: Cursor) { projectEvents(projectId: $projectId, after: $after) { ${states} } }`,
            variables,
          ),
        ),
        4,
      ),
      take(
        logged(
          server.subscribe(
            `subscription ($after: Cursor) { viewerEvents(after: $after) { ${states} } }`,
            { after },
          ),
        ),
        4,
      ),
    ]);
    expect(ofProject.map(({ __typename }) => __typename)).toEqual([
      'GenerationQueued',
      'GenerationStarted',
      'GenerationImageReady',
      'GenerationSucceeded',
    ]);
    expect(ofViewer.map(({ __typename }) => __typename)).toEqual(
      ofProject.map(({ __typename }) => __typename),
    );
    expect(ofProject.every(({ generation }) => generation.id === id)).toBe(true);
  });

  it('end with the cancellation, after which the engine is free', async () => {
    const { id, eventCursor } = await begin();
    const events = all(
      server.subscribe(
        `subscription ($id: ID!, $after: Cursor) { generationEvents(id: $id, after: $after) { ${states} } }`,
        { id, after: eventCursor },
      ),
    );
    const cancel =
      'mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { alreadyFinished generation { status } } }';
    const first = (await server.gql(cancel, { id })).cancelGeneration;
    expect(first).toEqual({ alreadyFinished: false, generation: { status: 'CANCELED' } });
    expect((await events).at(-1)).toMatchObject({ __typename: 'GenerationCanceled' });
    const again = (await server.gql(cancel, { id })).cancelGeneration;
    expect(again).toMatchObject({ alreadyFinished: true });
    const next = await begin();
    expect(next.id).not.toBe(id);
  });
});

async function* logged<Event extends { __typename: string }>(events: AsyncIterable<Event>) {
  for await (const event of events) {
    if (event.__typename !== 'GenerationProgress') yield event;
  }
}
