import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { json } from 'node:stream/consumers';
import { buildSchema, graphql } from 'graphql';
import { useServer as serveSockets } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

/** The part of the public API that the command uses, with answers that a test writes down. */
const schema = buildSchema(/* GraphQL */ `
  scalar Cursor
  scalar Seed
  scalar URL
  type Query { server: Server! }
  type Server { version: String! }
  input SettingsInput {
    prompt: String!, seed: Seed, steps: Int, width: Int, height: Int, count: Int, model: String
  }
  input GenerateInput { settings: SettingsInput! }
  input CancelGenerationInput { id: ID! }
  type GeneratePayload { generation: Generation! }
  type CancelGenerationPayload { alreadyFinished: Boolean! }
  type Mutation {
    generate(input: GenerateInput!): GeneratePayload
    cancelGeneration(input: CancelGenerationInput!): CancelGenerationPayload
  }
  type Generation {
    id: ID!, progress: Float!, eventCursor: Cursor!, settings: GenerationSettings!, images: [Asset!]!
  }
  type GenerationSettings { seed: Seed!, count: Int! }
  type Asset { index: Int, seed: Seed, url: URL! }
  type Failure { message: String! }
  enum GenerationStage { LOADING_MODEL ENCODING DENOISING DECODING SAVING }
  interface Event { cursor: Cursor! }
  interface GenerationEvent implements Event { cursor: Cursor!, generation: Generation! }
  type GenerationQueued implements GenerationEvent & Event {
    cursor: Cursor!, generation: Generation!, position: Int!
  }
  type GenerationStarted implements GenerationEvent & Event { cursor: Cursor!, generation: Generation! }
  type GenerationProgress implements GenerationEvent & Event {
    cursor: Cursor!, generation: Generation!, stage: GenerationStage!, step: Int!, steps: Int!
  }
  type GenerationImageReady implements GenerationEvent & Event {
    cursor: Cursor!, generation: Generation!, image: Asset!
  }
  type GenerationSucceeded implements GenerationEvent & Event { cursor: Cursor!, generation: Generation! }
  type GenerationFailed implements GenerationEvent & Event {
    cursor: Cursor!, generation: Generation!, failure: Failure!
  }
  type GenerationCanceled implements GenerationEvent & Event { cursor: Cursor!, generation: Generation! }
  type Subscription { generationEvents(id: ID!, after: Cursor): Event! }
`);

export type Script = {
  /** Answers `generate`, or throws. */
  readonly generate: (settings: Record<string, unknown>) => object;
  /** Yields events, each with `__typename` and `cursor`. */
  readonly events: (after: string) => AsyncGenerator<object>;
  readonly cancel: (id: string) => void;
  /** Bytes under `/files/<name>`. */
  readonly files: Readonly<Record<string, Buffer>>;
};

export async function startScriptedServer(script: Script) {
  const rootValue = {
    server: { version: '0.1.0' },
    generate: ({ input }: { input: { settings: Record<string, unknown> } }) => ({
      generation: script.generate(input.settings),
    }),
    cancelGeneration: ({ input }: { input: { id: string } }) => {
      script.cancel(input.id);
      return { alreadyFinished: false };
    },
    async *generationEvents({ after }: { after: string }) {
      for await (const event of script.events(after)) yield { generationEvents: event };
    },
  };
  const http = createServer(async (request, response) => {
    const file = script.files[request.url?.replace('/files/', '') ?? ''];
    if (file) {
      response.end(file);
    } else if (request.url === '/graphql' && request.method === 'POST') {
      const { query: source, variables: variableValues } = asRequest(await json(request));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(await graphql({ schema, rootValue, source, variableValues })));
    } else {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server: http, path: '/graphql' });
  const disposable = serveSockets({ schema, roots: { subscription: rootValue } }, sockets);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { address, port } = addressOf(http.address());
  return {
    url: `http://${isIPv6(address) ? `[${address}]` : address}:${port}`,
    /** Cuts every socket, as a network does. */
    cut: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
    close: async () => {
      await disposable.dispose();
      http.closeAllConnections();
      http.close();
    },
  };
}

function asRequest(body: unknown): { query: string; variables: Record<string, unknown> } {
  return body as { query: string; variables: Record<string, unknown> };
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('Expected a TCP address');
  return address;
}
