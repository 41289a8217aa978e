// The Node peer: an echo server, and nothing else. `node peer_node.js echo --port N` serves until SIGTERM.
'use strict';

const net = require('net');

const [command, option, port] = process.argv.slice(2);
if (command === '--list') {
  console.log('echo64 1\necho16k 1');
} else if (command === 'echo' && option === '--port' && process.argv.length === 5) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});  // a client that went; 'close' follows
    socket.on('data', (data) => {
      // Nothing more is read until what was written has left.
      if (!socket.write(data)) {
        socket.pause();
        socket.once('drain', () => socket.resume());
      }
    });
  });
  server.listen(Number(port), '127.0.0.1', 4096, () => console.log('port', server.address().port));
} else {
  console.error('usage: peer_node.js echo --port N | --list');
  process.exit(2);
}
