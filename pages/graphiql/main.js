import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import './main.css';
import { firstTabs } from './tabs.ts';

// Put in by the bundler: the workers' own files, whose names carry a hash.
const workers = WORKER_FILES;

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(workers[label] ?? workers.editor, { type: 'module' }),
};

const here = new URL(window.location.href);
const endpoint = new URL('/graphql', here);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';

// A link to a query, as GraphQL over HTTP writes it: it opens in a tab of its own.
const { query, variables } = Object.fromEntries(here.searchParams);

createRoot(document.getElementById('root')).render(
  createElement(GraphiQL, {
    fetcher: createGraphiQLFetcher({ url: endpoint.href, subscriptionUrl: socket.href }),
    initialQuery: query,
    initialVariables: variables,
    defaultTabs: firstTabs,
    defaultEditorToolsVisibility: true,
  }),
);
