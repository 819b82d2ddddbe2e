const {Worker, isMainThread} = require('worker_threads');
if (isMainThread) new Worker(__filename);
else require('http').createServer((request, response) => response.end('hello\n')).listen(3000);
