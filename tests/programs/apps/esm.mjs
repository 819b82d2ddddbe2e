import http from 'node:http';
await new Promise((done) => setTimeout(done, 50));
http.createServer((request, response) => response.end('hello\n')).listen(3000);
