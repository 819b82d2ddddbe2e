// The app of the comparison: one process's worth of Node, and nothing of a cluster in it.
const http = require('http');
http.createServer((request, response) => {
  response.setHeader('x-pid', process.pid);
  response.end('hello\n');
}).listen(Number(process.env.APP_PORT), '127.0.0.1');
