'use strict';
// What each step of boot.cjs depended on when it last ended well. Plain old JavaScript, as there.

var fs = require('fs');
var path = require('path');
var crypto = require('crypto');

var root = path.resolve(__dirname, '..');
var stampFile = path.join(root, 'node_modules', '.easel-stamps.json');

/** SHA-256 over the files' names and contents, folders walked in order. */
function hashOf(names) {
  var hash = crypto.createHash('sha256');
  function add(name) {
    var full = path.join(root, name);
    if (!fs.existsSync(full)) return;
    if (fs.statSync(full).isDirectory()) {
      fs.readdirSync(full)
        .sort()
        .forEach((child) => {
          if (child !== 'generated') add(path.join(name, child));
        });
    } else {
      hash.update(name + '\0');
      hash.update(fs.readFileSync(full));
    }
  }
  names.forEach(add);
  return hash.digest('hex');
}

function read() {
  try {
    return JSON.parse(fs.readFileSync(stampFile, 'utf8'));
  } catch (_error) {
    return {};
  }
}

function write(name, value) {
  var stamps = read();
  stamps[name] = value;
  fs.writeFileSync(stampFile, JSON.stringify(stamps, null, 2) + '\n');
}

module.exports = { hashOf: hashOf, read: read, write: write };
