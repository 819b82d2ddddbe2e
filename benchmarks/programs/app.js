// The app of the comparison: one process's worth of Node, and nothing of a cluster in it.
const http = require('http');
http.createServer((request, response) => {
  response.setHeader('x-pid', process.pid);
  response.end('hello\n');
}).listen(process.env.APP_SOCKET ? {path: process.env.APP_SOCKET}
                                : {port: Number(process.env.APP_PORT), host: '127.0.0.1'});
