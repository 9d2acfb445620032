'use strict';
// What stands before TypeScript: checks Node, installs, generates and builds what changed, then imports the
// program into this same process. Plain old JavaScript, so that an old Node gets a sentence and not a syntax error.

var fs = require('fs');
var path = require('path');
var childProcess = require('child_process');
var url = require('url');
var stamps = require('./stamps.cjs');
var usage = require('./usage.cjs');

var root = path.resolve(__dirname, '..');
var inTerminal = process.stderr.isTTY;

function say(text) {
  process.stderr.write(text + '\n');
}

function fail(sentence) {
  say('easel: ' + sentence);
  process.exit(1);
}

function checkNode() {
  var parts = process.versions.node.split('.').map(Number);
  var fine =
    parts[0] > 22 || (parts[0] === 22 && parts[1] >= 12) || (parts[0] === 20 && parts[1] >= 19);
  if (!fine) {
    fail(
      'Expected Node 20.19 or later, 22.12 or later, or 24, but this is ' +
        process.versions.node +
        '.',
    );
  }
}

/** Runs a program with its output kept back; shown only where it fails. Commands are given as paths, not through a shell. */
function runQuietly(what, file, args, env) {
  var result = childProcess.spawnSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    env: Object.assign({}, process.env, env || {}),
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32' && /npm/.test(file),
  });
  if (result.error || result.status !== 0) {
    var output = (result.stdout || '') + (result.stderr || '');
    if (/ENOSPC/.test(output)) fail('Expected room to ' + what + ', but the disk is full.');
    if (/EROFS|EACCES/.test(output))
      fail('Expected to write to ' + root + ' to ' + what + ', but it is read-only for this user.');
    say(output.trim());
    fail(
      'Could not ' +
        what +
        ': ' +
        (result.error ? result.error.message : 'it ended with code ' + result.status) +
        '.',
    );
  }
}

/** A step that runs only where what it depends on has changed since it last ended well. */
function step(name, title, depends, product, work) {
  var hash = stamps.hashOf(depends) + (name === 'install' ? process.versions.modules : '');
  if (stamps.read()[name] === hash && fs.existsSync(path.join(root, product))) return false;
  var started = Date.now();
  process.stderr.write(title + ' …' + (inTerminal ? '' : '\n'));
  work();
  stamps.write(name, hash);
  say((inTerminal ? ' ' : '  ') + ((Date.now() - started) / 1000).toFixed(1) + ' s');
  return true;
}

/** True where every package of the lock file lies in node_modules in its version: an install by hand counts. */
function isInstalled() {
  try {
    var lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
    var there = JSON.parse(
      fs.readFileSync(path.join(root, 'node_modules', '.package-lock.json'), 'utf8'),
    ).packages;
    return Object.keys(lock).every(function (name) {
      return (
        name === '' ||
        lock[name].optional ||
        (there[name] && there[name].version === lock[name].version)
      );
    });
  } catch (_error) {
    return false;
  }
}

function bin(name) {
  return path.join(root, 'node_modules', name);
}

function npm(args) {
  var cli = process.env.npm_execpath;
  return cli && /\.c?js$/.test(cli) ? [process.execPath, [cli].concat(args)] : ['npm', args];
}

function install() {
  step(
    'install',
    'Installing packages (the first time about a minute)',
    ['package-lock.json', '.npmrc'],
    'node_modules',
    function () {
      if (isInstalled()) return;
      var command = npm(['ci', '--no-audit', '--no-fund']);
      runQuietly('install the packages', command[0], command[1]);
    },
  );
}

function generateClient() {
  step(
    'client',
    'Generating the database client',
    ['prisma/schema.prisma', 'prisma.config.ts', 'package-lock.json'],
    'src/generated/prisma/client.ts',
    function () {
      // Prisma asks for an engine binary that generating does not use; any file that exists satisfies it.
      runQuietly(
        'generate the database client',
        process.execPath,
        [bin('prisma/build/index.js'), 'generate'],
        {
          PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
          PRISMA_HIDE_UPDATE_MESSAGE: '1',
          CHECKPOINT_DISABLE: '1',
        },
      );
    },
  );
}

function build() {
  var pages = path.join(root, 'scripts', 'build-pages.mjs');
  step(
    'build',
    'Compiling',
    ['src', 'tsconfig.json', 'prisma/schema.prisma', 'package-lock.json'],
    'dist/main.js',
    function () {
      var info = path.join(root, 'dist', '.tsbuildinfo');
      if (!fs.existsSync(path.join(root, 'dist', 'main.js')) && fs.existsSync(info))
        fs.unlinkSync(info);
      runQuietly('compile', process.execPath, [bin('typescript/bin/tsc'), '-p', 'tsconfig.json']);
    },
  );
  if (fs.existsSync(pages)) {
    step(
      'pages',
      'Bundling the API explorer',
      ['scripts/build-pages.mjs', 'pages', 'package-lock.json'],
      'dist/pages',
      function () {
        runQuietly('bundle the pages', process.execPath, [pages]);
      },
    );
  }
}

/** Each stage of the gate in order; the first that fails ends it, with its output. */
function test(args) {
  var stages = [
    [
      'Format and lint',
      [bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', '--colors=off', '.'],
    ],
    [
      'Import rules',
      [
        bin('dependency-cruiser/bin/dependency-cruise.mjs'),
        '--config',
        '.dependency-cruiser.cjs',
        'src',
      ],
    ],
    ['Types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.test.json']],
  ];
  if (args.length === 0) {
    stages.forEach(function (stage) {
      var started = Date.now();
      process.stderr.write(stage[0] + ' …' + (inTerminal ? '' : '\n'));
      runQuietly('pass "' + stage[0] + '"', process.execPath, stage[1]);
      say((inTerminal ? ' ' : '  ') + ((Date.now() - started) / 1000).toFixed(1) + ' s');
    });
  }
  var result = childProcess.spawnSync(
    process.execPath,
    [bin('vitest/vitest.mjs'), 'run'].concat(args),
    { cwd: root, stdio: 'inherit' },
  );
  process.exit(result.status === null ? 1 : result.status);
}

function load(file) {
  return import(url.pathToFileURL(path.join(root, 'dist', file)).href);
}

var commands = {
  start: function () {
    return load('main.js').then(function (program) {
      return program.main({ isForPerson: true });
    });
  },
  build: function () {},
  test: test,
  /** Deaths, one after the other: see docs/reliability.md. */
  soak: function (args) {
    runTypeScript(path.join(root, 'test', 'crash', 'soak.ts'), args);
  },
  /** What docs/benchmarks.md shows. */
  bench: function (args) {
    runTypeScript(path.join(root, 'bench', 'run.ts'), args);
  },
};

/** Programs that are not part of the build, in a process of their own. */
function runTypeScript(program, args) {
  var result = childProcess.spawnSync(process.execPath, ['--import', 'tsx', program].concat(args), {
    cwd: root,
    stdio: 'inherit',
  });
  process.exit(result.status === null ? 1 : result.status);
}

function main() {
  var name = process.argv[2];
  var args = process.argv.slice(3);
  checkNode();
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(usage.overview);
    return process.exit(name === undefined ? 1 : 0);
  }
  if (Object.hasOwn(usage.usages, name)) usage.checkArguments(name, args, fail);
  process.chdir(root);
  try {
    install();
    generateClient();
    build();
  } catch (error) {
    if (error.code === 'ENOSPC') fail('Expected room in ' + root + ', but the disk is full.');
    if (error.code === 'EROFS' || error.code === 'EACCES')
      fail('Expected to write to ' + root + ', but it is read-only for this user.');
    throw error;
  }
  if (commands[name]) return commands[name](args);
  if (
    !/^[a-z]+$/.test(String(name)) ||
    !fs.existsSync(path.join(root, 'dist', 'commands', name + '.js'))
  ) {
    fail(
      'Expected a command (start, test, build, generate, doctor, keys, migrate, schema, soak, bench), but got "' +
        name +
        '".',
    );
  }
  return load('closed-pipe.js')
    .then(function (output) {
      output.closedPipe();
      return load('commands/' + name + '.js');
    })
    .then(function (command) {
      return command.run(args);
    })
    .then(function (code) {
      // 1 by then where its output could not be written.
      if (typeof code !== 'number') return;
      setImmediate(function () {
        process.exit(code || process.exitCode || 0);
      });
    });
}

Promise.resolve()
  .then(main)
  .catch(function (error) {
    // A start that cannot go on has said why in one sentence; anything else is a defect, and its trace helps.
    fail(
      error && error.name === 'StartError'
        ? error.message
        : (error && error.stack) || String(error),
    );
  });
