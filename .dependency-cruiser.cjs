// Imports run one way:
// main → app → roles → server → resolvers → { schema, services } → { database, events, storage, images, inference }
// → errors.
// What a folder may import is listed; everything else of ours is forbidden to it.

const generated = '^src/generated/';

/**
 * Inside `inference`, from the bottom to the top: each may reach what stands before it, but for the
 * three beside each other. The files of the folder itself: what may be asked, and where it is run.
 */
const onnx = 'inference/onnx/';
const checkpoints = 'inference/checkpoints/';
const networks = 'inference/networks/';
const sampling = 'inference/sampling/';
const prompt = 'inference/prompt/';
const ownFiles = 'inference/[^/]+\\.ts$';
const models = 'inference/models/';
const pipelines = 'inference/pipelines/';
const engine = 'inference/engine/';
const inference = [
  [onnx, []],
  [checkpoints, [onnx]],
  [networks, [checkpoints, onnx]],
  [sampling, [checkpoints]],
  [prompt, [checkpoints, onnx]],
  [ownFiles, [networks, sampling, checkpoints, onnx]],
  [models, [ownFiles, networks, sampling, prompt, checkpoints, onnx]],
  [pipelines, [models, ownFiles, networks, sampling, onnx]],
  [engine, [pipelines, models, ownFiles, checkpoints, onnx]],
].map(([folder, reach]) => [
  folder === ownFiles ? 'inference' : folder.slice(0, -1).replace('/', '-'),
  `^src/${folder}`,
  ['(errors|system-error|database-error|printable)\\.ts', ...reach],
]);

/** Folder (or file), and what of ours it may reach beside itself. */
const allowed = [
  ['errors', '^src/(errors|system-error|database-error|printable)\\.ts$', []],
  [
    'config',
    '^src/config(-values|-keys)?\\.ts$',
    ['(errors|system-error|database-error|printable)\\.ts', 'inference/request\\.ts'],
  ],
  ['storage', '^src/storage/', ['(errors|system-error|database-error|printable)\\.ts']],
  ['events', '^src/events/', ['(errors|system-error|database-error|printable)\\.ts', 'generated/']],
  [
    'images',
    '^src/images/',
    ['(errors|system-error|database-error|printable)\\.ts', 'inference/request\\.ts'],
  ],
  ...inference,
  [
    'database',
    '^src/database/',
    ['(errors|system-error|database-error|printable)\\.ts', 'generated/'],
  ],
  [
    'schema',
    '^src/schema/',
    [
      '(errors|system-error|database-error|printable)\\.ts',
      'generated/',
      'inference/request\\.ts',
      'images/formats\\.ts',
      'services/[^/]+/limits\\.ts',
    ],
  ],
  [
    'services',
    '^src/services/',
    [
      '(errors|system-error|database-error|printable)\\.ts',
      'generated/',
      'database/',
      'events/',
      'storage/',
      'images/',
      'inference/',
    ],
  ],
  [
    'resolvers',
    '^src/resolvers/',
    [
      '(errors|system-error|database-error|printable)\\.ts',
      'generated/',
      'schema/',
      'services/',
      'inference/request\\.ts',
      'images/',
    ],
  ],
  [
    'roles',
    '^src/roles/',
    [
      '(errors|system-error|database-error|printable)\\.ts',
      'config\\.ts',
      'server/',
      'resolvers/',
      'services/',
      'database/',
      'events/events\\.ts',
      'storage/storage\\.ts',
      'inference/',
    ],
  ],
  [
    'server',
    '^src/server/',
    [
      '(errors|system-error|database-error|printable)\\.ts',
      'config\\.ts',
      'generated/',
      'resolvers/',
      'services/',
      'inference/request\\.ts',
      'storage/storage\\.ts',
      'images/',
    ],
  ],
];

/**
 * Inside `services`: asking, making and watching are apart, and all of them write through the event log. The runner
 * and the subscriptions know each other by messages alone.
 */
const servicesBelow = {
  relay: ['input'],
  input: [],
  'event-log': ['relay', 'input'],
  access: ['event-log', 'relay', 'input'],
  generations: ['access', 'event-log', 'relay', 'input'],
  runner: ['generations', 'access', 'event-log', 'relay', 'input'],
  subscriptions: ['generations', 'access', 'event-log', 'relay', 'input'],
  library: ['generations', 'access', 'event-log', 'relay', 'input'],
  delivery: ['library', 'generations', 'access', 'event-log', 'relay', 'input'],
  maintenance: ['library', 'generations', 'access', 'event-log', 'relay', 'input'],
};

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
    ...Object.entries(servicesBelow).map(([name, below]) => ({
      name: `services-${name}-imports`,
      severity: 'error',
      from: { path: `^src/services/${name}/` },
      to: {
        path: '^src/services/',
        pathNot: [name, ...below].map((one) => `^src/services/${one}/`),
      },
    })),
    {
      name: 'composition-root',
      comment: 'Only main and the commands build the app, and only the app starts roles.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|app)\\.ts$|^src/(commands|roles)/' },
      to: { path: '^src/(app|main)\\.ts$|^src/(commands|roles)/' },
    },
    {
      name: 'roles-are-apart',
      comment:
        'The roles share database, events and storage: what they know of each other, the app hands over.',
      severity: 'error',
      from: { path: '^src/roles/(api|worker)\\.ts$' },
      to: { path: '^src/roles/(api|worker)\\.ts$' },
    },
    {
      name: 'runtime-dependencies',
      comment: 'A package that the program imports is installed with it.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
      },
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
