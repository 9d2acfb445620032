// Imports run one way:
// main → app → server → resolvers → { schema, services } → { database, events, storage, images, inference } → errors.
// What a folder may import is listed; everything else of ours is forbidden to it.

const generated = '^src/generated/';

/** Folder (or file), and what of ours it may reach beside itself. */
const allowed = [
  ['errors', '^src/errors\\.ts$', []],
  ['config', '^src/config\\.ts$', ['errors\\.ts', 'inference/request\\.ts']],
  ['storage', '^src/storage/', ['errors\\.ts']],
  ['events', '^src/events/', ['errors\\.ts', 'generated/']],
  ['images', '^src/images/', ['errors\\.ts']],
  ['inference', '^src/inference/', ['errors\\.ts']],
  ['database', '^src/database/', ['errors\\.ts', 'generated/']],
  [
    'schema',
    '^src/schema/',
    ['errors\\.ts', 'generated/', 'inference/request\\.ts', 'images/formats\\.ts'],
  ],
  [
    'services',
    '^src/services/',
    ['errors\\.ts', 'generated/', 'database/', 'events/', 'storage/', 'images/', 'inference/'],
  ],
  [
    'resolvers',
    '^src/resolvers/',
    ['errors\\.ts', 'generated/', 'schema/', 'services/', 'inference/request\\.ts', 'images/'],
  ],
  [
    'server',
    '^src/server/',
    [
      'errors\\.ts',
      'config\\.ts',
      'generated/',
      'resolvers/',
      'services/',
      'storage/storage\\.ts',
      'images/',
    ],
  ],
];

/** A package that one place alone may import. */
const fenced = [
  ['onnxruntime-node', '^src/inference/onnx/session\\.ts$'],
  ['sharp', '^src/images/'],
  ['@prisma/client', '^src/(database|services|events|generated)/'],
  ['type-graphql', '^src/(schema|resolvers)/'],
  ['express', '^src/server/'],
];

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: { pathNot: generated },
      to: { circular: true, viaOnly: { pathNot: generated }, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: { pathNot: generated },
      to: { couldNotResolve: true },
    },
    ...allowed.map(([name, path, reach]) => ({
      name: `${name}-imports`,
      severity: 'error',
      from: { path },
      to: { path: '^src/', pathNot: [path, ...reach.map((target) => `^src/${target}`)] },
    })),
    {
      name: 'composition-root',
      comment: 'Only main and the commands build the app.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|app)\\.ts$|^src/commands/' },
      to: { path: '^src/(app|main)\\.ts$|^src/commands/' },
    },
    ...fenced.map(([name, only]) => ({
      name: `only-one-importer-of-${name}`,
      severity: 'error',
      from: { path: '^src/', pathNot: only },
      to: { path: `(^|/)node_modules/${name}(/|$)`, dependencyTypesNot: ['type-only'] },
    })),
  ],
  options: {
    doNotFollow: { path: ['node_modules', generated] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
