const http = require('http');
const server = http.createServer((request, response) => response.end('hello\n')).listen(3000);
process.on('SIGINT', () => server.close(() => process.exit(0)));
