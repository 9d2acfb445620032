'use strict';
// What the commands say of themselves that are not files in src/commands. Plain old JavaScript, as in boot.cjs.

var usages = {
  start:
    'Usage: npm start\n\n' +
    'Installs and builds what has changed, then runs the server until SIGINT or SIGTERM.\n' +
    'It is configured by environment variables: see README.md.\n\n' +
    '  --help   this text\n',
  build: 'Usage: npm run build\n\nInstalls and builds what has changed.\n\n  --help   this text\n',
  test:
    'Usage: npm test [-- <part of a path> ...] [-t <part of a name>]\n\n' +
    'Format, lint, import rules, types, build, drift checks and every test; with arguments only\n' +
    'the tests whose path or name contains them.\n\n' +
    '  -t <part of a name>   only tests of this name\n' +
    '  --help                this text\n',
};

/** Ends the program where help was asked for, or where an argument makes no sense. */
function checkArguments(name, args, fail) {
  var command = name === 'start' || name === 'test' ? 'npm ' + name : 'npm run ' + name;
  if (args.indexOf('--help') >= 0 || args.indexOf('-h') >= 0) {
    process.stdout.write(usages[name]);
    return process.exit(0);
  }
  var unknown = args.filter((argument, i) => {
    if (name !== 'test') return true;
    return argument[0] === '-' && argument !== '-t' && args[i - 1] !== '-t';
  })[0];
  if (unknown !== undefined) {
    fail(
      'Expected ' +
        (name === 'test' ? 'an option of ' : 'no arguments of ') +
        command +
        ', but got "' +
        unknown +
        '": see ' +
        command +
        ' -- --help',
    );
  }
}

var overview =
  'Usage: npm start | npm test | npm run <command> [-- <arguments>]\n\n' +
  'Commands: start, test, build, generate, doctor, keys, migrate, schema, soak, bench.\n' +
  'Each explains itself with --help: npm run generate -- --help\n';

module.exports = { checkArguments: checkArguments, overview: overview, usages: usages };
