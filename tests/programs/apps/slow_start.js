const http = require('http');
setTimeout(() => http.createServer((request, response) => response.end('hello\n')).listen(3000), 1500);
