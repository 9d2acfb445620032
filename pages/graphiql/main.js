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

const here = new URL('/graphql', window.location.href);
const socket = new URL(here);
socket.protocol = here.protocol === 'https:' ? 'wss:' : 'ws:';

createRoot(document.getElementById('root')).render(
  createElement(GraphiQL, {
    fetcher: createGraphiQLFetcher({ url: here.href, subscriptionUrl: socket.href }),
    defaultTabs: firstTabs,
    defaultEditorToolsVisibility: true,
  }),
);
