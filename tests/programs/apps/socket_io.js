const server = require('http').createServer((request, response) => response.end('hello\n'));
new (require('socket.io').Server)(server).on('connection', (socket) => socket.on('echo', (text, answer) => answer(text)));
server.listen(3000);
